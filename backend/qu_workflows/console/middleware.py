"""The console's headers on each of its responses: pages, redirects, errors of any kind."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from qu_workflows.console.responses import is_console, secured


class ConsolePolicies:
    """Middleware. The outermost, so that responses of other middleware have the headers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Take the next handler, as Django's middleware does."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the headers to a response of the console."""
        response = self.get_response(request)
        return secured(response) if is_console(request) else response
