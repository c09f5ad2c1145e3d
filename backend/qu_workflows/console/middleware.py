"""The console's policies on every response below its addresses: pages, redirects, errors of any kind."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from qu_workflows.console.responses import is_console, secured


class ConsolePolicies:
    """Middleware. The outermost, since a refusal of another middleware is a response of the console, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Keep what answers."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, with the policies if the console does."""
        response = self.get_response(request)
        return secured(response) if is_console(request) else response
