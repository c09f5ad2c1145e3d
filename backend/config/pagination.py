"""How lists of the API are cut into pages."""

from rest_framework.pagination import PageNumberPagination


class Pages(PageNumberPagination):
    """Pages of PAGE_SIZE; a client may ask for up to 200 rows at once."""

    page_size_query_param = "page_size"
    max_page_size = 200
