"""OpenAPI responses that every operation shares: its errors."""

from typing import Any

type Json = dict[str, Any]

SIGN_IN = "sign-in"

_ERROR_SCHEMA: Json = {
    "type": "object",
    "description": "What went wrong, and what to do about it.",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
_VALIDATION_ERROR_SCHEMA: Json = {
    "type": "object",
    "description": "The problems of each field by its name, or `detail` alone when the request can not be read.",
    "additionalProperties": {},
}
_DESCRIPTIONS = {
    "400": "A field or a parameter is not as it must be.",
    "401": "Not signed in, or the key, token or guard is not valid.",
    "403": "Signed in, but not allowed to do this.",
    "404": "No such object or page.",
    "413": "A file or the whole upload passes a limit.",
    "415": "The body's media type is not one that this operation reads.",
    "503": "The storage does not answer. Nothing was saved; try again after `Retry-After` seconds.",
}


def document_errors(result: Json, generator: Any, request: Any, public: bool) -> Json:  # noqa: ARG001  the signature of a drf-spectacular hook
    """Add to each operation what follows from what it takes. A hook of drf-spectacular."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"] = _ERROR_SCHEMA
    schemas["ValidationError"] = _VALIDATION_ERROR_SCHEMA
    for path in result["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    parameter["allowEmptyValue"] = True  # ?search= asks for nothing, as a form left empty does
            if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
                operation["requestBody"]["required"] = True
            for code in sorted(_errors_of(operation)):
                operation["responses"].setdefault(code, _response(code))
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
    if "multipart/form-data" in media_types:
        found |= {"413", "503"}
    return found


def _response(code: str) -> Json:
    name = "ValidationError" if code == "400" else "Error"
    return {
        "description": _DESCRIPTIONS[code],
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }
