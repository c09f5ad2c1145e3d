"""Django's admin classes with the type parameters that the stubs require."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin

if TYPE_CHECKING:

    class ModelAdmin(admin.ModelAdmin[Any]):
        """The page of a model."""

    class StackedInline(admin.StackedInline[Any, Any]):
        """Related rows, one below the other."""

    class TabularInline(admin.TabularInline[Any, Any]):
        """Related rows as a table."""

else:
    ModelAdmin, StackedInline, TabularInline = admin.ModelAdmin, admin.StackedInline, admin.TabularInline
