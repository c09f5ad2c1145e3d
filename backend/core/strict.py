"""Strict types in requests: REST framework accepts 0 for false and "5" for 5."""

import re
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext as _
from django_filters import NumberFilter, TypedChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.filters import SearchFilter
from rest_framework.request import Request

MAX_INTEGER = 2**63 - 1
MAX_WORDS, MAX_CHARACTERS = 8, 200  # of a search
_FEW_WORDS = re.compile(rf"[ ,]*([^ ,]+([ ,]+[^ ,]+){{0,{MAX_WORDS - 1}}})?[ ,]*")
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

    def get_max_validator(self) -> MaxValueValidator:
        """Refuse numbers that SQLite cannot compare."""
        return MaxValueValidator(MAX_INTEGER)


class BoundedSearchFilter(SearchFilter):
    """Refuses searches that take the database seconds: each word is compared with each column."""

    def get_search_terms(self, request: Request) -> list[str]:
        """Return the words. Raises ValidationError."""
        text = request.query_params.get(self.search_param, "")
        if len(text) > MAX_CHARACTERS or not _FEW_WORDS.fullmatch(text):
            problem = _("A search has at most %(words)s words and %(characters)s characters.")
            limits = {"words": MAX_WORDS, "characters": MAX_CHARACTERS}
            raise serializers.ValidationError({self.search_param: [problem % limits]})
        return super().get_search_terms(request)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the parameter with its bounds."""
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        bounds = {"maxLength": MAX_CHARACTERS, "pattern": f"^{_FEW_WORDS.pattern}$"}
        return [one | {"schema": one["schema"] | bounds} for one in parameters]


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
