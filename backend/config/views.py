"""Pages that belong to no app."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from config.openapi import SIGN_IN


@require_safe
def home(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """Lead to the back office."""
    return HttpResponseRedirect(reverse("admin:index"))


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """Answer 200 once the database answers, 503 before."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse({"status": "unavailable", "database": type(error).__name__}, status=503)
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """Answer 200 once the process takes requests, whatever its database does: a restart would not mend that."""
    return JsonResponse({"status": "ok"})


@extend_schema_view(post=extend_schema(tags=[SIGN_IN], summary="Sign in to the back office"))
class SignInView(TokenObtainPairView):
    """Gives an access token and a refresh token for a user name and a password."""


@extend_schema_view(post=extend_schema(tags=[SIGN_IN], summary="Stay signed in"))
class RefreshView(TokenRefreshView):
    """Gives a new access token for a refresh token."""
