"""The back office's pages for people, places, shifts and API keys."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.api_keys import issue_api_key
from core.models import ApiKey, Client, Guard, Profile, Property, PropertySupervisor, Shift, SoftDeleteModel
from qu_workflows.records.typed_admin import ModelAdmin, StackedInline, TabularInline

PERSON_SEARCH = ["user__username", "user__first_name", "user__last_name", "user__email", "phone"]


class SoftDeleteAdmin(ModelAdmin):
    """Rows are taken out of use by an action; nobody deletes them here."""

    actions = ["deactivate"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for what matters first, and last whether the row is in use."""
        names = list(super().get_fields(request, obj))
        return sorted(names, key=lambda name: name == "is_active")

    def has_delete_permission(self, request: HttpRequest, obj: SoftDeleteModel | None = None) -> bool:  # noqa: ARG002  Django's signature
        """Refuse to delete: reports refer to these rows."""
        return False

    @admin.action(description=_("Take the selected rows out of use"), permissions=["change"])
    def deactivate(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Switch the chosen rows off."""
        count = rows.update(is_active=False)
        said = ngettext("%(count)s row is out of use.", "%(count)s rows are out of use.", count) % {"count": count}
        self.message_user(request, said, messages.SUCCESS)


class ProfileInline(StackedInline):
    """The language of a person's mails."""

    model = Profile
    can_delete = False


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # takes none when it runs
    """Users, with the language of their mails."""

    inlines = [ProfileInline]

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:  # noqa: ARG002  Django's signature
        """Show the profile once there is a user to have it."""
        return [ProfileInline] if obj else []


@admin.register(Client)
class ClientAdmin(SoftDeleteAdmin):
    """Clients."""

    list_display = ["__str__", "email", "phone", "is_active"]
    list_filter = ["is_active"]
    list_select_related = ["user"]
    search_fields = PERSON_SEARCH
    autocomplete_fields = ["user"]

    @admin.display(description=_("email"), ordering="user__email")
    def email(self, client: Client) -> str:
        """Return the address."""
        return client.user.email


@admin.register(Guard)
class GuardAdmin(SoftDeleteAdmin):
    """Guards."""

    list_display = ["__str__", "phone", "is_armed", "is_active"]
    list_filter = ["is_active", "is_armed"]
    list_select_related = ["user"]
    search_fields = [*PERSON_SEARCH, "address"]
    autocomplete_fields = ["user"]


class SupervisorInline(TabularInline):
    """Whom to tell of a property's reports."""

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
    """API keys. The key is shown once, in the message after it was added."""

    list_display = ["name", "prefix", "created_at", "last_used_at", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name", "prefix"]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Ask for a name; show the rest once there is a key."""
        return ["name", "prefix", "created_at", "last_used_at", "is_active"] if obj else ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:  # noqa: ARG002  Django's signature
        """Keep what the key was made with."""
        return ["prefix", "created_at", "last_used_at"] if obj else []

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Make a key of a new name, and show it this once."""
        if change:
            super().save_model(request, obj, form, change)
            return
        made, key = issue_api_key(obj.name)
        obj.pk, obj.prefix, obj.key_hash, obj.created_at = made.pk, made.prefix, made.key_hash, made.created_at
        said = _("The key is {}. Copy it now: it can not be shown again.")
        messages.warning(request, format_html(str(said), format_html("<code>{}</code>", key)))
