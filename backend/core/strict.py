"""Strict types in requests: REST framework accepts 0 for false and "5" for 5."""

from typing import Any

from django import forms
from django.db import models
from django.utils.translation import gettext as _
from django_filters import NumberFilter, TypedChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_TEXT = (serializers.CharField, serializers.ChoiceField, serializers.DateTimeField)
_NUMBER = (serializers.IntegerField, serializers.PrimaryKeyRelatedField)


class StrictTypesMixin:
    """A serializer that refuses values of other types than in its OpenAPI document."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values. Raises ValidationError for fields of a wrong type."""
        if isinstance(data, dict):
            fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]  # the serializer's own
            given = ((name, field) for name, field in fields.items() if name in data and not field.read_only)
            problems = {name: [problem] for name, field in given if (problem := _problem(field, data[name]))}
            if problems:
                raise serializers.ValidationError(problems)
        return super().to_internal_value(data)  # type: ignore[misc]  # the serializer's own, next in line


def _problem(field: Any, value: Any) -> str:
    if value is None and field.allow_null:
        return ""
    if isinstance(field, serializers.BooleanField) and not isinstance(value, bool):
        return _("This must be true or false.")
    if isinstance(field, _TEXT) and not isinstance(value, str):
        return _("This must be a text.")
    if isinstance(field, _NUMBER) and not _is_integer(value):
        return _("This must be a whole number.")
    if isinstance(field, serializers.ManyRelatedField) and not (
        isinstance(value, list) and all(map(_is_integer, value))
    ):
        return _("This must be a list of whole numbers.")
    return ""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@extend_schema_field(OpenApiTypes.BOOL)
class StrictBooleanFilter(TypedChoiceFilter):
    """``true`` or ``false``; refuses other words, which would be no filter."""

    def __init__(self, **kwargs: Any) -> None:
        words = [("true", "true"), ("false", "false")]
        super().__init__(choices=words, coerce=lambda word: word == "true", **kwargs)


@extend_schema_field(OpenApiTypes.INT)
class IntegerFilter(NumberFilter):
    """An integer; an unknown id gives an empty list."""

    field_class = forms.IntegerField  # type: ignore[assignment]  # the stubs want a decimal one


class StrictFilterSet(FilterSet):
    """Filters a model's booleans and relations by these strict filters."""

    class Meta:
        filter_overrides = {
            models.BooleanField: {"filter_class": StrictBooleanFilter},
            models.ForeignKey: {"filter_class": IntegerFilter},
        }


class StrictFilterBackend(DjangoFilterBackend):
    """Filters lists by the ``filterset_fields`` of a view."""

    filterset_base = StrictFilterSet
