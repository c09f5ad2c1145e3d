"""Pagination of the API's lists."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class Pages(PageNumberPagination):
    """Pages of PAGE_SIZE rows, or as many as a client asks for, within bounds."""

    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int | None:
        """Return the number of rows. Raises ValidationError for what is no number between 1 and the most."""
        text = request.query_params.get("page_size", "")
        if text and not self._is_size(text):
            said = _("This must be a whole number from 1 to %(limit)s.") % {"limit": self.max_page_size}
            raise ValidationError({"page_size": [said]})
        return super().get_page_size(request)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameters, with their bounds."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        bounds = {"page": {"minimum": 1}, "page_size": {"minimum": 1, "maximum": self.max_page_size}}
        return [one | {"schema": one["schema"] | bounds.get(one["name"], {})} for one in parameters]

    def _is_size(self, text: str) -> bool:
        return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= self.max_page_size
