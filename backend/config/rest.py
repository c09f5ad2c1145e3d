"""Error responses and pagination of the REST API, and their OpenAPI description."""

from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from reports.files.uploads import UploadTooLarge, too_many_files
from workflows.errors import StorageUnavailable

type Json = dict[str, Any]

RETRY_AFTER_SECONDS = 30
SIGN_IN = "sign-in"

_DESCRIPTIONS = {
    "400": "A field or a parameter is invalid.",
    "401": "Not signed in, or the key, token or guard is not valid.",
    "403": "Signed in, but not allowed to do this.",
    "404": "No such object or page.",
    "413": "A file or the whole upload exceeds a limit.",
    "429": "Too many failed sign-ins, or too many uploads in a minute; try again after `Retry-After` seconds.",
    "415": "The operation does not support the body's media type.",
    "503": "The storage is unavailable. Nothing was saved; try again after `Retry-After` seconds.",
}
_SCHEMAS: Json = {
    "Error": {
        "type": "object",
        "description": "The problem, and what to do about it.",
        "properties": {"detail": {"type": "string"}},
        "required": ["detail"],
    },
    "ValidationError": {
        "type": "object",
        "description": "The problems of each field by its name, or `detail` alone if the request cannot be read.",
        "additionalProperties": {},
    },
}


class ServiceUnavailable(exceptions.APIException):
    """A service behind the API does not respond; a retry may succeed."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "service_unavailable"
    wait = RETRY_AFTER_SECONDS  # the Retry-After header of REST framework


def handle_exception(error: Exception, context: Json) -> Response | None:
    """Return the response to an exception, None for an unexpected one, which becomes a 500."""
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


class Pages(PageNumberPagination):
    """Pages of PAGE_SIZE rows, or of ``page_size`` of the query."""

    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int | None:
        """Return the number of rows. Raises ValidationError for a ``page_size`` out of range."""
        text = request.query_params.get("page_size", "")
        is_size = text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= self.max_page_size
        if text and not is_size:
            problem = _("This must be a whole number from 1 to %(limit)s.") % {"limit": self.max_page_size}
            raise exceptions.ValidationError({"page_size": [problem]})
        return super().get_page_size(request)

    def get_schema_operation_parameters(self, view: Any) -> list[Json]:
        """Describe the parameters with their bounds."""
        parameters: list[Json] = super().get_schema_operation_parameters(view)
        bounds = {"page": {"minimum": 1}, "page_size": {"minimum": 1, "maximum": self.max_page_size}}
        return [one | {"schema": one["schema"] | bounds.get(one["name"], {})} for one in parameters]


def document_errors(result: Json, generator: Any, request: Any, public: bool) -> Json:  # noqa: ARG001  the signature of a drf-spectacular hook
    """Add to each operation the errors it can return. A hook of drf-spectacular."""
    result.setdefault("components", {}).setdefault("schemas", {}).update(_SCHEMAS)
    for path in result["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    parameter["allowEmptyValue"] = True  # ?search= is no filter, like an empty field of a form
            if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
                operation["requestBody"]["required"] = True
            for code in sorted(_errors_of(operation)):
                name = "ValidationError" if code == "400" else "Error"
                content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
                operation["responses"].setdefault(code, {"description": _DESCRIPTIONS[code], "content": content})
    return result


def _errors_of(operation: Json) -> set[str]:
    places = {parameter["in"] for parameter in operation.get("parameters", [])}
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    media_types = operation.get("requestBody", {}).get("content", {})
    found: set[str] = set()
    if any(operation.get("security", [])):
        found |= {"401", "403"}
    if SIGN_IN in operation.get("tags", []):
        found.add("401")
    if "query" in places or media_types:
        found.add("400")
    if "path" in places or "page" in names:
        found.add("404")
    if media_types:
        found.add("415")
    if SIGN_IN in operation.get("tags", []) or "multipart/form-data" in media_types:
        found.add("429")
    if "multipart/form-data" in media_types:
        found |= {"413", "503"}
    return found
