"""What is answered when what was asked can not be done: JSON to the API, a page elsewhere, saying how to mend it."""

from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from qu_workflows.console import errors as console_errors
from reports.files.uploads import UploadTooLarge, too_many_files
from workflows.errors import StorageUnavailable

RETRY_AFTER_SECONDS = 30


class ServiceUnavailable(exceptions.APIException):
    """Something behind the API does not answer; asking again later may work."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "service_unavailable"
    wait = RETRY_AFTER_SECONDS  # REST framework makes the Retry-After header of it


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an exception; None for one that nobody expected, which becomes a 500."""
    return exception_handler(_as_api_exception(error), context)


def _as_api_exception(error: Exception) -> Exception:
    match error:
        case StorageUnavailable():
            return ServiceUnavailable(_("A file could not be stored. Nothing was saved; send the report again."))
        case RequestDataTooBig():
            return UploadTooLarge(_("The fields beside the files are too large."))
        case TooManyFilesSent():
            return exceptions.ValidationError({"files": [too_many_files()]})
        case TooManyFieldsSent():
            return exceptions.ParseError(_("The request has too many fields."))
        case SuspiciousOperation():
            return exceptions.ParseError(_("The request is malformed."))
    return error


def is_api(request: HttpRequest) -> bool:
    """Return whether a program is asking, who reads JSON."""
    return request.path_info.startswith("/api/")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404: JSON below /api/, a page elsewhere; one of the console to those who may see it."""
    if is_api(request):
        return JsonResponse({"detail": _("Not found.")}, status=404)
    return console_errors.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400: JSON below /api/, a page elsewhere."""
    if is_api(request):
        return JsonResponse({"detail": _("The request is malformed.")}, status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500: JSON below /api/, a page elsewhere."""
    if is_api(request):
        return JsonResponse({"detail": _("Something went wrong here. It is logged.")}, status=500)
    return console_errors.server_error(request)
