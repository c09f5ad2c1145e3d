"""The admin of people, places, shifts and API keys."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.authentication import issue_api_key
from core.models import (
    ApiKey,
    Client,
    Guard,
    Profile,
    Property,
    PropertySupervisor,
    Shift,
    SoftDeleteModel,
    is_staff_account,
)
from qu_workflows.records.typed_admin import ModelAdmin, StackedInline, TabularInline

PERSON_SEARCH = ["user__username", "user__first_name", "user__last_name", "user__email", "phone"]


class SoftDeleteAdmin(ModelAdmin):
    """Rows are deactivated by an action and cannot be deleted."""

    actions = ["deactivate"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Move ``is_active`` to the end."""
        names = list(super().get_fields(request, obj))
        return sorted(names, key=lambda name: name == "is_active")

    def has_delete_permission(self, request: HttpRequest, obj: SoftDeleteModel | None = None) -> bool:  # noqa: ARG002  Django's signature
        """Refuse to delete: reports refer to these rows."""
        return False

    @admin.action(description=_("Deactivate the selected rows"), permissions=["change"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Deactivate the selected rows."""
        count = rows.update(is_active=False)
        message = ngettext("%(count)s row was deactivated.", "%(count)s rows were deactivated.", count)
        self.message_user(request, message % {"count": count}, messages.SUCCESS)


class ProfileInline(StackedInline):
    """The language of a person's mails."""

    model = Profile
    can_delete = False


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # takes none when it runs
    """Users, with the language of their mails."""

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:  # noqa: ARG002  Django's signature
        """Show the profile of an existing user."""
        return [ProfileInline] if obj else []


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]  # takes none when it runs
    """A client or a guard, whose user is chosen once and is not staff.

    Otherwise the right to change guards would be a right to change the accounts of administrators.
    """

    def clean_user(self) -> User:
        """Refuse a staff account. Raises ValidationError."""
        user: User = self.cleaned_data["user"]
        if is_staff_account(user):
            raise forms.ValidationError(_("This account belongs to staff. Choose another user."))
        return user


class AccountAdmin(SoftDeleteAdmin):
    """Clients and guards: the user of a row never changes."""

    form = PersonForm
    autocomplete_fields = ["user"]

    def get_readonly_fields(self, request: HttpRequest, obj: Client | Guard | None = None) -> list[str]:  # noqa: ARG002  Django's signature
        """Return the user of an existing row."""
        return ["user"] if obj else []


@admin.register(Client)
class ClientAdmin(AccountAdmin):
    """Clients."""

    list_display = ["__str__", "email", "phone", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["user"]
    search_fields = PERSON_SEARCH

    @admin.display(description=_("email"), ordering="user__email")
    def email(self, client: Client) -> str:
        """Return the address."""
        return client.user.email


@admin.register(Guard)
class GuardAdmin(AccountAdmin):
    """Guards."""

    list_display = ["__str__", "phone", "is_armed", "is_active"]
    list_filter = ["is_active", "is_armed"]
    list_select_related = ["user"]
    search_fields = [*PERSON_SEARCH, "address"]


class SupervisorInline(TabularInline):
    """The supervisors of a property."""

    model = PropertySupervisor
    autocomplete_fields = ["user"]
    extra = 0


@admin.register(Property)
class PropertyAdmin(SoftDeleteAdmin):
    """Properties."""

    list_display = ["name", "alias", "owner", "address", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["owner__user"]
    search_fields = ["name", "alias", "address", "owner__user__last_name", "owner__user__username"]
    autocomplete_fields = ["owner"]
    inlines = [SupervisorInline]


@admin.register(Shift)
class ShiftAdmin(SoftDeleteAdmin):
    """Shifts."""

    list_display = ["guard", "property", "planned_start", "planned_end", "status", "is_active"]
    list_filter = ["status", "is_active", ("planned_start", admin.DateFieldListFilter)]
    list_select_related = ["guard__user", "property"]
    date_hierarchy = "planned_start"
    search_fields = ["guard__user__last_name", "guard__user__username", "property__name", "property__alias"]
    autocomplete_fields = ["guard", "property"]


@admin.register(ApiKey)
class ApiKeyAdmin(SoftDeleteAdmin):
    """API keys. A new key is shown once, in the message after adding it."""

    list_display = ["name", "guard", "prefix", "created_at", "last_used_at", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["guard__user"]
    search_fields = ["name", "prefix", "guard__user__last_name", "guard__user__username"]
    autocomplete_fields = ["guard"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Return the fields that identify a new key, all fields of an existing one."""
        return ["name", "guard", *(["prefix", "created_at", "last_used_at", "is_active"] if obj else [])]

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Require a guard, unless keys for all guards are valid."""
        form = super().get_form(request, obj, change, **kwargs)
        if "guard" in form.base_fields:
            form.base_fields["guard"].required = not settings.API_KEYS_FOR_ALL_GUARDS
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:  # noqa: ARG002  Django's signature
        """Return all fields but the name and ``is_active``."""
        return ["guard", "prefix", "created_at", "last_used_at"] if obj else []

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Create a new key, and show its text once."""
        if change:
            super().save_model(request, obj, form, change)
            return
        made, key = issue_api_key(obj.name, obj.guard)
        obj.pk, obj.prefix, obj.key_hash, obj.created_at = made.pk, made.prefix, made.key_hash, made.created_at
        message = _("The key is {}. Copy it now: it cannot be shown again.")
        messages.warning(request, format_html(str(message), format_html("<code>{}</code>", key)))
