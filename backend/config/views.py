"""Pages and endpoints that belong to no app, and the error pages: JSON below /api/."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from config.rest import SIGN_IN
from core.throttling import SignInThrottle
from qu_workflows.console import errors as console_errors


@require_safe
def home(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """Redirect to the back office."""
    return HttpResponseRedirect(reverse("admin:index"))


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """Return 200 if the database responds, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return JsonResponse({"status": "unavailable", "database": type(error).__name__}, status=503)
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  Django's signature
    """Return 200, even without a database: a restart of this process would not fix that."""
    return JsonResponse({"status": "ok"})


@extend_schema_view(post=extend_schema(tags=[SIGN_IN], summary="Sign in to the back office"))
class SignInView(TokenObtainPairView):
    """Returns an access token and a refresh token for a user name and a password."""

    throttle_classes = [SignInThrottle]


@extend_schema_view(post=extend_schema(tags=[SIGN_IN], summary="Stay signed in"))
class RefreshView(TokenRefreshView):
    """Returns a new access token for a refresh token."""


def is_api(request: HttpRequest) -> bool:
    """Return whether the client expects JSON."""
    return request.path_info.startswith("/api/")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Return 404; the console's page to users of the console."""
    if is_api(request):
        return JsonResponse({"detail": _("Not found.")}, status=404)
    return console_errors.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return 400."""
    if is_api(request):
        return JsonResponse({"detail": _("The request is malformed.")}, status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Return 500."""
    if is_api(request):
        return JsonResponse({"detail": _("Internal server error. It was logged.")}, status=500)
    return console_errors.server_error(request)
