"""People, places and shifts over HTTP, for the back office."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.viewsets import ModelViewSet

from core.models import Client, Guard, Property, Shift, SoftDeleteModel
from core.serializers import ClientSerializer, GuardSerializer, PropertySerializer, ShiftSerializer
from core.strict import IntegerFilter, StrictBooleanFilter

PERSON_SEARCH = ["user__username", "user__first_name", "user__last_name", "user__email", "phone"]


class ClientFilter(FilterSet):
    """How lists of clients are narrowed down."""

    is_active = StrictBooleanFilter()

    class Meta:
        model = Client
        fields = ["is_active"]


class GuardFilter(FilterSet):
    """How lists of guards are narrowed down."""

    is_active = StrictBooleanFilter()
    is_armed = StrictBooleanFilter()

    class Meta:
        model = Guard
        fields = ["is_active", "is_armed"]


class PropertyFilter(FilterSet):
    """How lists of properties are narrowed down."""

    is_active = StrictBooleanFilter()
    owner = IntegerFilter(field_name="owner_id", help_text="The id of a client.")

    class Meta:
        model = Property
        fields = ["is_active", "owner"]


class ShiftFilter(FilterSet):
    """How lists of shifts are narrowed down."""

    is_active = StrictBooleanFilter()
    guard = IntegerFilter(field_name="guard_id", help_text="The id of a guard.")
    property = IntegerFilter(field_name="property_id", help_text="The id of a property.")

    class Meta:
        model = Shift
        fields = ["is_active", "guard", "property", "status"]


class SoftDeleteMixin:
    """DELETE takes a row out of use."""

    def perform_destroy(self, instance: SoftDeleteModel) -> None:
        """Switch the row off."""
        instance.deactivate()


class BackOfficeViewSet[ModelT: Client | Guard | Property | Shift](SoftDeleteMixin, ModelViewSet[ModelT]):
    """Lists show the rows in use, unless ``is_active`` asks otherwise."""

    filter_backends = [DjangoFilterBackend, SearchFilter, OrderingFilter]
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[ModelT]:
        """Return the rows that the action is about."""
        rows = super().get_queryset()
        if self.action == "list" and "is_active" not in self.request.query_params:
            return rows.filter(is_active=True)
        return rows


def _described(one: str, many: str) -> Any:
    """Return the decorator that words a view set's operations."""
    return extend_schema_view(
        list=extend_schema(tags=[many], summary=f"List {many}"),
        create=extend_schema(tags=[many], summary=f"Add a {one}"),
        retrieve=extend_schema(tags=[many], summary=f"Show a {one}"),
        update=extend_schema(tags=[many], summary=f"Replace a {one}"),
        partial_update=extend_schema(tags=[many], summary=f"Change a {one}"),
        destroy=extend_schema(tags=[many], summary=f"Take a {one} out of use"),
    )


@_described("client", "clients")
class ClientViewSet(BackOfficeViewSet[Client]):
    """Who owns properties."""

    queryset = Client.objects.select_related("user__profile")
    serializer_class = ClientSerializer
    filterset_class = ClientFilter
    search_fields = PERSON_SEARCH
    ordering_fields = ["id", "user__last_name"]


@_described("guard", "guards")
class GuardViewSet(BackOfficeViewSet[Guard]):
    """Who files reports."""

    queryset = Guard.objects.select_related("user__profile")
    serializer_class = GuardSerializer
    filterset_class = GuardFilter
    search_fields = PERSON_SEARCH
    ordering_fields = ["id", "user__last_name"]


@_described("property", "properties")
class PropertyViewSet(BackOfficeViewSet[Property]):
    """What is watched over."""

    queryset = Property.objects.select_related("owner__user").prefetch_related("supervisor_links__user")
    serializer_class = PropertySerializer
    filterset_class = PropertyFilter
    search_fields = ["name", "alias", "address"]
    ordering_fields = ["id", "name"]


@_described("shift", "shifts")
class ShiftViewSet(BackOfficeViewSet[Shift]):
    """Who is where, when."""

    queryset = Shift.objects.select_related("guard__user", "property")
    serializer_class = ShiftSerializer
    filterset_class = ShiftFilter
    search_fields = ["property__name", "property__alias", "guard__user__last_name"]
    ordering_fields = ["id", "planned_start"]
