"""JSON taken at its word: REST framework would read 0 as false, 5 as "5" and "5" as 5."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django_filters import NumberFilter, TypedChoiceFilter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_TEXT = (serializers.CharField, serializers.ChoiceField, serializers.DateTimeField)
_NUMBER = (serializers.IntegerField, serializers.PrimaryKeyRelatedField)


class StrictTypesMixin:
    """A serializer that refuses values of another type than its OpenAPI document names."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values. Raises ValidationError naming each field of a wrong type."""
        if isinstance(data, dict):
            problems = {
                name: [problem] for name, field in self._named_fields() if (problem := _problem(field, data, name))
            }
            if problems:
                raise serializers.ValidationError(problems)
        return super().to_internal_value(data)  # type: ignore[misc]  # the serializer's own, next in line

    def _named_fields(self) -> list[tuple[str, serializers.Field[Any, Any, Any, Any]]]:
        fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]  # the serializer's own
        return [(name, field) for name, field in fields.items() if not field.read_only]


def _problem(field: Any, data: dict[str, Any], name: str) -> str:
    if name not in data or (data[name] is None and field.allow_null):
        return ""
    value = data[name]
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
    """``true`` or ``false``, and nothing that would be read as no filter at all."""

    def __init__(self, **kwargs: Any) -> None:
        words = [("true", "true"), ("false", "false")]
        super().__init__(choices=words, coerce=lambda word: word == "true", **kwargs)


@extend_schema_field(OpenApiTypes.INT)
class IntegerFilter(NumberFilter):
    """A whole number; a relation's id that belongs to nothing gives an empty list."""

    field_class = forms.IntegerField  # type: ignore[assignment]  # the stubs want a decimal one
