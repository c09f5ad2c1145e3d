"""Authentication of the mobile app, which acts for a guard, by API keys.

A key is a prefix of 8 random characters, by which it is found, a dot, and 32 random bytes. It is shown once and
stored as a SHA-256 digest, which is enough for a long random secret.

A key belongs to one guard. With ``API_KEYS_FOR_ALL_GUARDS``, keys of the whole installation are valid, too: such a key
acts for the guard of ``X-Guard-ID``, so its holder can act for each guard. Each request with one is logged.
"""

import hashlib
import hmac
import logging
import re
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from core.models import ApiKey, Guard

logger = logging.getLogger(__name__)

API_KEY_HEADER = "X-Api-Key"
GUARD_HEADER = "X-Guard-ID"
PREFIX_LENGTH = 8
LAST_USED_RESOLUTION = timedelta(minutes=1)  # not a write at every request
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{10,200}")
_GUARD_ID = re.compile(r"[0-9]{1,18}")


def issue_api_key(name: str, guard: Guard | None) -> tuple[ApiKey, str]:
    """Save a new key and return it with its text, which cannot be shown again.

    ``None`` makes a key for all guards.
    """
    prefix = secrets.token_hex(PREFIX_LENGTH // 2)
    key = f"{prefix}.{secrets.token_urlsafe(32)}"
    return ApiKey.objects.create(name=name, guard=guard, prefix=prefix, key_hash=_digest(key)), key


def find_api_key(key: str) -> ApiKey | None:
    """Return the active key with this text, or None, in constant time."""
    digest = _digest(key)
    found = None
    for candidate in ApiKey.objects.active().filter(prefix=key[:PREFIX_LENGTH]).select_related("guard__user"):
        if hmac.compare_digest(candidate.key_hash, digest):
            found = candidate
    return found


def note_use(key: ApiKey) -> None:
    """Save the time of the key's last use, to the minute."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - LAST_USED_RESOLUTION:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_RESOLUTION)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class GuardAuthentication(BaseAuthentication):
    """Requires an active key in ``X-Api-Key``.

    ``X-Guard-ID`` must be the key's guard; with a key for all guards, any active one.
    """

    def authenticate(self, request: Request) -> tuple[Any, Guard] | None:
        """Return the guard's user and the guard, None without a key. Raises AuthenticationFailed."""
        text = request.headers.get(API_KEY_HEADER, "").strip()
        if not text:
            return None
        key = find_api_key(text) if _KEY.fullmatch(text) else None
        if key is None:
            raise AuthenticationFailed(_("X-Api-Key is not an active key. Ask the back office for one."))
        guard = _guard_of(key, request.headers.get(GUARD_HEADER, "").strip())
        note_use(key)
        return guard.user, guard

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  REST framework's signature
        """Return the WWW-Authenticate header of a 401."""
        return "ApiKey"


def _guard_of(key: ApiKey, guard_id: str) -> Guard:
    """Return the guard for whom a key acts. Raises AuthenticationFailed."""
    if key.guard is None:
        if not settings.API_KEYS_FOR_ALL_GUARDS:
            raise AuthenticationFailed(_("This X-Api-Key has no guard. Ask the back office for a key of your own."))
        guard = _active_guard(guard_id)
        if guard is None:
            raise AuthenticationFailed(_("X-Guard-ID is not the id of an active guard."))
        logger.info("API key %s, which is for all guards, acts for guard %s.", key.prefix, guard.pk)
        return guard
    if guard_id != str(key.guard.pk):
        logger.warning("API key %s of guard %s was sent with another X-Guard-ID.", key.prefix, key.guard.pk)
        raise AuthenticationFailed(_("X-Guard-ID is not the guard of this X-Api-Key. Send that guard's id."))
    if not (key.guard.is_active and key.guard.user.is_active):
        raise AuthenticationFailed(_("The guard of this X-Api-Key is not active."))
    return key.guard


def _active_guard(text: str) -> Guard | None:
    if not _GUARD_ID.fullmatch(text):
        return None
    return Guard.objects.active().filter(pk=int(text), user__is_active=True).select_related("user").first()


def guard_of(request: Request) -> Guard:
    """Return the guard for whom a request acts. Raises TypeError without IsGuard."""
    if not isinstance(request.auth, Guard):
        raise TypeError("The request has no guard. Add IsGuard to the view's permission_classes.")
    return request.auth


class IsGuard(BasePermission):
    """Allows requests with an API key and a guard."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  REST framework's signature
        """Return whether the request acts for a guard."""
        return isinstance(request.auth, Guard)


class GuardAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """Describes the two headers in the OpenAPI document."""

    target_class = GuardAuthentication
    name = ["ApiKey", "GuardId"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:  # noqa: ARG002  drf-spectacular's signature
        """Return one scheme per header; an operation needs both."""
        return [
            {"type": "apiKey", "in": "header", "name": API_KEY_HEADER, "description": "A guard's key."},
            {
                "type": "apiKey",
                "in": "header",
                "name": GUARD_HEADER,
                "description": "The id of the key's guard.",
            },
        ]
