"""People, places, shifts and API keys.

Rows are deactivated instead of deleted, since reports refer to them; lists contain ``.active()`` rows.
"""

from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SoftDeleteQuerySet[ModelT: models.Model](models.QuerySet[ModelT]):
    """Rows that are deactivated instead of deleted."""

    def active(self) -> Self:
        """Return the active rows."""
        return self.filter(is_active=True)

    def deactivate(self) -> int:
        """Deactivate the rows and return their number."""
        return self.update(is_active=False)


class SoftDeleteModel(models.Model):
    """A row that is deactivated instead of deleted."""

    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        abstract = True

    def deactivate(self) -> None:
        """Deactivate the row."""
        self.is_active = False
        self.save(update_fields=["is_active"])


class Profile(models.Model):
    """A person's preferences: the language of mails."""

    user = models.OneToOneField(User, models.CASCADE, verbose_name=_("user"), related_name="profile")
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")

    def __str__(self) -> str:
        return f"{name_of(self.user)} ({self.language})"


class Client(SoftDeleteModel):
    """An owner of properties, who is notified of reports there."""

    user = models.OneToOneField(User, models.PROTECT, verbose_name=_("user"), related_name="client")
    phone = models.CharField(_("phone"), max_length=32, blank=True)

    objects = SoftDeleteQuerySet["Client"].as_manager()

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ["id"]

    def __str__(self) -> str:
        return name_of(self.user)


class Guard(SoftDeleteModel):
    """A guard of properties, who files reports."""

    user = models.OneToOneField(User, models.PROTECT, verbose_name=_("user"), related_name="guard")
    phone = models.CharField(_("phone"), max_length=32, blank=True)
    address = models.CharField(_("address"), max_length=255, blank=True)
    is_armed = models.BooleanField(_("armed"), default=False)

    objects = SoftDeleteQuerySet["Guard"].as_manager()

    class Meta:
        verbose_name = _("guard")
        verbose_name_plural = _("guards")
        ordering = ["id"]

    def __str__(self) -> str:
        return name_of(self.user)


def check_time_zone(name: str) -> None:
    """Raise ValidationError unless the name is an IANA time zone."""
    if name not in available_timezones():
        raise ValidationError(
            _("%(name)s is not a time zone. Use a name such as America/New_York."), params={"name": name}
        )


class Property(SoftDeleteModel):
    """A guarded place."""

    owner = models.ForeignKey(Client, models.PROTECT, verbose_name=_("owner"), related_name="properties")
    name = models.CharField(_("name"), max_length=120)
    alias = models.CharField(_("alias"), max_length=60, blank=True)
    address = models.CharField(_("address"), max_length=255)
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[check_time_zone],
        help_text=_("Empty: the time zone of the installation."),
    )
    supervisors = models.ManyToManyField(
        User, verbose_name=_("supervisors"), through="PropertySupervisor", related_name="supervised_properties"
    )

    objects = SoftDeleteQuerySet["Property"].as_manager()

    class Meta:
        verbose_name = _("property")
        verbose_name_plural = _("properties")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.alias or self.name

    def tzinfo(self) -> ZoneInfo:
        """Return the time zone of the place."""
        return ZoneInfo(self.time_zone or settings.TIME_ZONE)


class PropertySupervisor(models.Model):
    """A supervisor of a property. The lowest position is notified first."""

    property = models.ForeignKey(Property, models.CASCADE, verbose_name=_("property"), related_name="supervisor_links")
    user = models.ForeignKey(User, models.CASCADE, verbose_name=_("supervisor"), related_name="supervisor_links")
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("supervisor")
        verbose_name_plural = _("supervisors")
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["property", "user"], name="one_link_per_supervisor")]

    def __str__(self) -> str:
        return f"{name_of(self.user)} → {self.property}"


class ShiftStatus(models.TextChoices):
    """Status of a shift."""

    SCHEDULED = "scheduled", _("Scheduled")
    COMPLETED = "completed", _("Completed")
    VOIDED = "voided", _("Voided")


class ShiftQuerySet(SoftDeleteQuerySet["Shift"]):
    """Shifts by their times."""

    def covering(self, moment: datetime) -> Self:
        """Return the valid shifts whose planned or actual time contains the moment.

        The actual time of a shift without an actual end is still open.
        """
        planned = Q(planned_start__lte=moment, planned_end__gte=moment)
        actual = Q(actual_start__lte=moment) & (Q(actual_end__gte=moment) | Q(actual_end__isnull=True))
        return self.active().exclude(status=ShiftStatus.VOIDED).filter(planned | actual)


class Shift(SoftDeleteModel):
    """A guard's time at a property, planned and actual."""

    guard = models.ForeignKey(Guard, models.PROTECT, verbose_name=_("guard"), related_name="shifts")
    property = models.ForeignKey(Property, models.PROTECT, verbose_name=_("property"), related_name="shifts")
    planned_start = models.DateTimeField(_("planned start"))
    planned_end = models.DateTimeField(_("planned end"))
    actual_start = models.DateTimeField(_("actual start"), null=True, blank=True)
    actual_end = models.DateTimeField(_("actual end"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=ShiftStatus, default=ShiftStatus.SCHEDULED)

    objects = ShiftQuerySet.as_manager()

    class Meta:
        verbose_name = _("shift")
        verbose_name_plural = _("shifts")
        ordering = ["-planned_start", "-id"]
        indexes = [models.Index(fields=["guard", "planned_start"], name="shift_guard_start")]
        constraints = [
            models.CheckConstraint(
                condition=Q(planned_end__gt=F("planned_start")),
                name="shift_ends_after_it_starts",
                violation_error_message=_("The planned end must be later than the planned start."),
            ),
            models.CheckConstraint(
                condition=Q(actual_end__isnull=True) | Q(actual_start__isnull=False, actual_end__gte=F("actual_start")),
                name="shift_ended_after_it_started",
                violation_error_message=_("The actual end needs an actual start, and must not be earlier."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.guard} · {self.property} · {timezone.localtime(self.planned_start):%Y-%m-%d %H:%M}"


class ApiKey(SoftDeleteModel):
    """A guard's key of the mobile app. Only its digest is stored.

    A key without a guard is one of the installation, which is valid with API_KEYS_FOR_ALL_GUARDS only.
    """

    name = models.CharField(_("name"), max_length=80)
    guard = models.ForeignKey(
        Guard,
        models.PROTECT,
        verbose_name=_("guard"),
        related_name="api_keys",
        null=True,
        blank=True,
        help_text=_("Empty: for all guards, which API_KEYS_FOR_ALL_GUARDS must allow."),
    )
    prefix = models.CharField(_("prefix"), max_length=12, db_index=True, editable=False)
    key_hash = models.CharField(_("digest"), max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    objects = SoftDeleteQuerySet["ApiKey"].as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


def name_of(user: User) -> str:
    """Return a person's full name, or else the user name."""
    return user.get_full_name() or user.get_username()


def is_staff_account(user: User) -> bool:
    """Return whether a user can sign in to the back office."""
    return user.is_staff or user.is_superuser


def language_of(user: User) -> str:
    """Return the language of a person's mails. Needs a query unless the profile is loaded."""
    profile: Profile | None = getattr(user, "profile", None)
    return profile.language if profile else settings.LANGUAGE_CODE
