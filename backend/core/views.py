"""The REST API of people, places and shifts, for the back office."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.filters import OrderingFilter
from rest_framework.viewsets import ModelViewSet

from core.models import Client, Guard, Property, Shift, SoftDeleteModel
from core.serializers import ClientSerializer, GuardSerializer, PropertySerializer, ShiftSerializer
from core.strict import BoundedSearchFilter, StrictFilterBackend

PERSON_SEARCH = ["user__username", "user__first_name", "user__last_name", "user__email", "phone"]


class SoftDeleteMixin:
    """DELETE deactivates a row."""

    def perform_destroy(self, instance: SoftDeleteModel) -> None:
        """Deactivate the row."""
        instance.deactivate()


class BackOfficeViewSet[ModelT: Client | Guard | Property | Shift](SoftDeleteMixin, ModelViewSet[ModelT]):
    """Lists contain active rows, unless the query has ``is_active``."""

    filter_backends = [StrictFilterBackend, BoundedSearchFilter, OrderingFilter]
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[ModelT]:
        """Return the rows for the action."""
        rows = super().get_queryset()
        if self.action == "list" and "is_active" not in self.request.query_params:
            return rows.filter(is_active=True)
        return rows


def _described(one: str, many: str) -> Any:
    """Return a decorator that describes the operations of a view set."""
    return extend_schema_view(
        list=extend_schema(tags=[many], summary=f"List {many}"),
        create=extend_schema(tags=[many], summary=f"Add a {one}"),
        retrieve=extend_schema(tags=[many], summary=f"Show a {one}"),
        update=extend_schema(tags=[many], summary=f"Replace a {one}"),
        partial_update=extend_schema(tags=[many], summary=f"Change a {one}"),
        destroy=extend_schema(tags=[many], summary=f"Deactivate a {one}"),
    )


@_described("client", "clients")
class ClientViewSet(BackOfficeViewSet[Client]):
    """Owners of properties."""

    queryset = Client.objects.select_related("user__profile")
    serializer_class = ClientSerializer
    filterset_fields = ["is_active"]
    search_fields = PERSON_SEARCH
    ordering_fields = ["id", "user__last_name"]


@_described("guard", "guards")
class GuardViewSet(BackOfficeViewSet[Guard]):
    """Guards, who file reports."""

    queryset = Guard.objects.select_related("user__profile")
    serializer_class = GuardSerializer
    filterset_fields = ["is_active", "is_armed"]
    search_fields = PERSON_SEARCH
    ordering_fields = ["id", "user__last_name"]


@_described("property", "properties")
class PropertyViewSet(BackOfficeViewSet[Property]):
    """Guarded places."""

    queryset = Property.objects.select_related("owner__user").prefetch_related("supervisor_links__user")
    serializer_class = PropertySerializer
    filterset_fields = ["is_active", "owner"]
    search_fields = ["name", "alias", "address"]
    ordering_fields = ["id", "name"]


@_described("shift", "shifts")
class ShiftViewSet(BackOfficeViewSet[Shift]):
    """Planned and actual shifts."""

    queryset = Shift.objects.select_related("guard__user", "property")
    serializer_class = ShiftSerializer
    filterset_fields = ["is_active", "guard", "property", "status"]
    search_fields = ["property__name", "property__alias", "guard__user__last_name"]
    ordering_fields = ["id", "planned_start"]
