"""Authentication of the mobile app by its API key, for a guard."""

import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from core.api_keys import find_api_key, note_use
from core.models import ApiKey, Guard

API_KEY_HEADER = "X-Api-Key"
GUARD_HEADER = "X-Guard-ID"
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]{10,200}")
_GUARD_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class GuardAccess:
    """A request of the mobile app: the key that let it in, and the guard it acts for."""

    api_key: ApiKey
    guard: Guard


class GuardAuthentication(BaseAuthentication):
    """``X-Api-Key`` names a key in use and ``X-Guard-ID`` an active guard: else 401."""

    def authenticate(self, request: Request) -> tuple[Any, GuardAccess] | None:
        """Return the guard's user and the access; None when there is no key at all."""
        text = request.headers.get(API_KEY_HEADER, "").strip()
        if not text:
            return None
        key = find_api_key(text) if _KEY.fullmatch(text) else None
        if key is None:
            raise AuthenticationFailed(_("X-Api-Key is not a key in use. Ask the back office for one."))
        guard = _active_guard(request.headers.get(GUARD_HEADER, "").strip())
        if guard is None:
            raise AuthenticationFailed(_("X-Guard-ID is not the id of an active guard."))
        note_use(key)
        return guard.user, GuardAccess(key, guard)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  REST framework's signature
        """Return what a 401 says in WWW-Authenticate."""
        return "ApiKey"


class IsGuard(BasePermission):
    """Lets in who came by an API key for a guard."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  REST framework's signature
        """Return whether the request acts for a guard."""
        return isinstance(request.auth, GuardAccess)


def guard_of(request: Request) -> Guard:
    """Return the guard that a request acts for. Only below IsGuard."""
    access = request.auth
    if not isinstance(access, GuardAccess):
        raise TypeError("The view has no guard: its permission classes lack IsGuard.")
    return access.guard


def _active_guard(text: str) -> Guard | None:
    if not _GUARD_ID.fullmatch(text):
        return None
    return Guard.objects.active().filter(pk=int(text), user__is_active=True).select_related("user").first()


class GuardAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__ has no types
    """OpenAPI description of the two headers."""

    target_class = GuardAuthentication
    name = ["ApiKey", "GuardId"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:  # noqa: ARG002  drf-spectacular's signature
        """Return one scheme per header; an operation needs both."""
        return [
            {"type": "apiKey", "in": "header", "name": API_KEY_HEADER, "description": "A key of the mobile app."},
            {"type": "apiKey", "in": "header", "name": GUARD_HEADER, "description": "The id of an active guard."},
        ]
