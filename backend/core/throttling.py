"""Limits of sign-ins and uploads, counted in the cache ``shared``, which all processes have.

Sign-ins: ``ThrottledSignIn`` is the first of AUTHENTICATION_BACKENDS, so it protects the admin's form and the API
alike. It counts failures, per client and per user name. Counts are read and then written, so concurrent requests may
exceed a limit by their number.
"""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.core.cache import BaseCache, caches
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from core.models import Guard

WINDOW_SECONDS = 900
FAILURES_PER_CLIENT, FAILURES_PER_NAME = 20, 50  # in a window; a name's limit is higher, since others can reach it


class ThrottledSignIn:
    """Refuses sign-ins after too many failures of a client or a user name."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **_given: Any) -> None:
        """Return None, for the next backend to decide. Raises PermissionDenied, which ends the sign-in."""
        if any(_shared().get(key, 0) >= limit for key, limit in _counters(request, username)):
            raise PermissionDenied


@receiver(user_login_failed)
def _count(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:  # noqa: ARG001  a signal's signature
    for key, _limit in _counters(request, credentials.get("username")):
        if not _shared().add(key, 1, WINDOW_SECONDS):
            count = _shared().get(key, 0)
            _shared().set(key, count + 1, WINDOW_SECONDS)


def _counters(request: HttpRequest | None, name: str | None) -> list[tuple[str, int]]:
    """Return the cache keys of a sign-in with their limits."""
    client = client_of(request) if request is not None else ""
    given = (("client", client, FAILURES_PER_CLIENT), ("name", (name or "").lower(), FAILURES_PER_NAME))
    return [(f"sign-in-{kind}-{_digest(value)}", limit) for kind, value, limit in given if value]


def client_of(request: HttpRequest) -> str:
    """Return the address of a client, as the last of TRUSTED_PROXIES proxies saw it.

    Earlier entries of X-Forwarded-For are the client's own words.
    """
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))


class UploadThrottle(SimpleRateThrottle):
    """Limits the reports that a guard sends, incidents included: each asks supervisors by mail."""

    scope = "uploads"
    cache = caches["shared"]

    def get_rate(self) -> str:
        """Return the setting."""
        return f"{settings.UPLOADS_PER_MINUTE}/min"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:  # noqa: ARG002  REST framework's signature
        """Return the guard's key; None, which is unlimited, for requests that send nothing."""
        is_upload = request.method == "POST" and isinstance(request.auth, Guard)
        return f"uploads-{request.auth.pk}" if is_upload else None


class SignInThrottle(BaseThrottle):
    """Answers 429 after too many failures of a client or a user name."""

    def allow_request(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  REST framework's signature
        """Return whether a sign-in may be tried."""
        data = request.data if isinstance(request.data, dict) else {}
        name = data.get("username")
        counters = _counters(request._request, name if isinstance(name, str) else None)
        return all(_shared().get(key, 0) < limit for key, limit in counters)

    def wait(self) -> float:
        """Return the seconds for Retry-After, the most that may be needed."""
        return float(WINDOW_SECONDS)


def _shared() -> BaseCache:
    return caches["shared"]


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]
