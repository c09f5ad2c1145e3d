"""Serializers of people, places and shifts."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.validators import RegexValidator
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from core.models import Client, Guard, Profile, Property, PropertySupervisor, Shift, is_staff_account, language_of
from core.strict import StrictTypesMixin

STAFF_ACCOUNT_REFUSED = gettext_lazy("This account belongs to staff. Change it among the users of the admin.")
# Spaces are trimmed, so a text of spaces is empty; the pattern puts that into the schema.
NOT_ONLY_SPACES = RegexValidator(r"\S", gettext_lazy("This must not be empty."))


class LanguageField(serializers.ChoiceField):
    """The language of a person's mails; the default without a profile."""

    def get_attribute(self, instance: Client | Guard) -> str:
        """Return the language."""
        return language_of(instance.user)


class PersonSerializer[PersonT: Client | Guard](StrictTypesMixin, serializers.ModelSerializer[PersonT]):
    """A client or a guard, with fields of its user."""

    username = serializers.CharField(source="user.username", max_length=150, validators=[UnicodeUsernameValidator()])
    first_name = serializers.CharField(source="user.first_name", max_length=150, required=False, allow_blank=True)
    last_name = serializers.CharField(source="user.last_name", max_length=150, required=False, allow_blank=True)
    email = serializers.EmailField(source="user.email", max_length=254, required=False, allow_blank=True)
    language = LanguageField(
        source="user.profile.language",
        choices=settings.LANGUAGES,
        default=settings.LANGUAGE_CODE,
        help_text="The language of the mails.",
    )

    def validate_username(self, username: str) -> str:
        """Refuse another user's name."""
        others = User.objects.filter(username=username)
        if self.instance is not None:
            others = others.exclude(pk=self.instance.user_id)
        if others.exists():
            raise serializers.ValidationError(_("A user with that username already exists."))
        return username

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> PersonT:
        """Create the person with a user, who cannot sign in before getting a password."""
        user = User()
        user.set_unusable_password()
        _save_user(user, validated_data.pop("user"))
        return super().create(validated_data | {"user": user})

    @transaction.atomic
    def update(self, instance: PersonT, validated_data: dict[str, Any]) -> PersonT:
        """Save the person and its user."""
        fields = validated_data.pop("user", {})
        if fields and is_staff_account(instance.user):
            raise serializers.ValidationError({"user": [STAFF_ACCOUNT_REFUSED]})
        _save_user(instance.user, fields)
        return super().update(instance, validated_data)


def _save_user(user: User, fields: dict[str, Any]) -> None:
    profile = fields.pop("profile", None)
    for name, value in fields.items():
        setattr(user, name, value)
    user.save()
    if profile:
        user.profile, _created = Profile.objects.update_or_create(user=user, defaults=profile)


_PERSON_FIELDS = ["id", "user", "username", "first_name", "last_name", "email", "language", "phone", "is_active"]


class ClientSerializer(PersonSerializer[Client]):
    """A client."""

    class Meta:
        model = Client
        fields = _PERSON_FIELDS
        read_only_fields = ["user"]


class GuardSerializer(PersonSerializer[Guard]):
    """A guard."""

    class Meta:
        model = Guard
        fields = [*_PERSON_FIELDS, "address", "is_armed"]
        read_only_fields = ["user"]


class SupervisorsField(serializers.ManyRelatedField):
    """The supervisors' user ids; the first is notified first."""

    def get_attribute(self, instance: Property) -> list[User]:
        """Return the supervisors in the order of their positions."""
        return [link.user for link in instance.supervisor_links.all()]


class PropertySerializer(StrictTypesMixin, serializers.ModelSerializer[Property]):
    """A property with its supervisors."""

    name = serializers.CharField(max_length=120, validators=[NOT_ONLY_SPACES])
    address = serializers.CharField(max_length=255, validators=[NOT_ONLY_SPACES])
    owner_name = serializers.CharField(source="owner.__str__", read_only=True)
    supervisors = SupervisorsField(
        child_relation=serializers.PrimaryKeyRelatedField(queryset=User.objects.filter(is_active=True)),
        required=False,
        help_text="User ids; the first is notified first. Without any, the group Supervisors is notified.",
    )

    class Meta:
        model = Property
        fields = ["id", "owner", "owner_name", "name", "alias", "address", "time_zone", "supervisors", "is_active"]

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Property:
        """Save the property and its supervisors."""
        supervisors = validated_data.pop("supervisors", [])
        place = Property.objects.create(**validated_data)
        _set_supervisors(place, supervisors)
        return place

    @transaction.atomic
    def update(self, instance: Property, validated_data: dict[str, Any]) -> Property:
        """Save the property, and its supervisors if given."""
        supervisors = validated_data.pop("supervisors", None)
        place = super().update(instance, validated_data)
        if supervisors is not None:
            _set_supervisors(place, supervisors)
        return place


def _set_supervisors(place: Property, users: list[User]) -> None:
    place.supervisor_links.all().delete()
    unique = dict.fromkeys(users)
    PropertySupervisor.objects.bulk_create(
        PropertySupervisor(property=place, user=user, position=position) for position, user in enumerate(unique)
    )
    getattr(place, "_prefetched_objects_cache", {}).clear()


class ShiftSerializer(StrictTypesMixin, serializers.ModelSerializer[Shift]):
    """A shift, planned and actual."""

    guard_name = serializers.CharField(source="guard.__str__", read_only=True)
    property_name = serializers.CharField(source="property.__str__", read_only=True)

    class Meta:
        model = Shift
        fields = [
            "id",
            "guard",
            "guard_name",
            "property",
            "property_name",
            "planned_start",
            "planned_end",
            "actual_start",
            "actual_end",
            "status",
            "is_active",
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate the times against the table's constraints."""
        names = ("planned_start", "planned_end", "actual_start", "actual_end")
        times = {name: attrs.get(name, getattr(self.instance, name, None)) for name in names}
        Shift(**times).validate_constraints()
        return attrs
