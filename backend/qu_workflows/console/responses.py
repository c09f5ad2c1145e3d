"""Responses of views: HTML, a part of it for htmx, or JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers

from qu_workflows.console.hooks import registered_hooks, url_of
from qu_workflows.records.json_values import to_json

# No inline script or style and no other origin: even a payload that slipped through the escaping could do nothing.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A downloaded drawing has its stylesheet inside.
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page.

    ``data`` is its content, masked: a dataclass or a mapping; the JSON twin is exactly this. ``context`` is what only
    HTML needs: charts, forms, addresses. ``part`` names the template, included by ``template``, for requests of htmx.
    """

    template: str
    title: str
    data: Any
    context: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    status: int = 200


def answer(request: HttpRequest, given: Page | HttpResponseBase, *, as_json: bool) -> HttpResponseBase:
    """Return the response of a page."""
    if not isinstance(given, Page):
        return given
    if as_json:
        return secured(JsonResponse(to_json(given.data), status=given.status, json_dumps_params={"indent": 2}))
    template = given.part if given.part and _asks_for_part(request) else given.template
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    section = view_name.partition(":")[2].partition("-")[0]
    shared = {"title": given.title, "data": given.data, "section": section, "product": registered_hooks()}
    return secured(render(request, template, {**given.context, **shared}, status=given.status))


def problem(request: HttpRequest, status: int, title: str, sentence: str, remedy: str = "") -> HttpResponseBase:
    """Return an error page, or JSON with ``detail``."""
    detail = f"{sentence} {remedy}".strip()
    page = Page(template="console/refused.html", title=title, data={"detail": detail}, status=status)
    return answer(request, page, as_json=wants_json(request))


def svg_file(svg: str, name: str) -> HttpResponse:
    """Return a drawing as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.svg"', "Content-Security-Policy": SVG_POLICY}
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}'
    return HttpResponse(text, content_type="image/svg+xml", headers=headers)


def json_file(content: Any, name: str) -> HttpResponse:
    """Return JSON as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.json"'}
    return JsonResponse(content, headers=headers, json_dumps_params={"indent": 2})


def secured[ResponseT: HttpResponseBase](response: ResponseT) -> ResponseT:
    """Add the console's headers: nothing inline, nothing cached, nothing sent to other sites.

    A view's own Content-Security-Policy stays.
    """
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response["Referrer-Policy"] = "same-origin"
    response["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, ["HX-Request", "Cookie", "Accept-Language"])
    patch_cache_control(response, private=True, no_store=True)
    return response


def root() -> str:
    """Return the address of the console, "" if the site does not include it."""
    return url_of("console:overview")


def is_console(request: HttpRequest) -> bool:
    """Return whether an address is below the console's, even if it has no page."""
    return bool(root()) and request.path.startswith(root())


def is_htmx(request: HttpRequest) -> bool:
    """Return whether htmx sent the request."""
    return request.headers.get("HX-Request") == "true"


def wants_json(request: HttpRequest) -> bool:
    """Return whether the address is a JSON twin's."""
    return request.path_info.endswith(".json")


def _asks_for_part(request: HttpRequest) -> bool:
    # A boosted link and a step back in the history replace the whole page.
    whole = ("HX-Boosted", "HX-History-Restore-Request")
    return is_htmx(request) and not any(request.headers.get(name) == "true" for name in whole)
