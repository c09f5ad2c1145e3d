"""manage.py seed_demo: example people and places, with addresses at example.com."""

import json
import os
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from core.authentication import issue_api_key
from core.models import ApiKey, Client, Guard, Profile, Property, PropertySupervisor, Shift

PASSWORD_VARIABLE = "DEMO_PASSWORD"  # noqa: S105  the variable's name
API_KEY_NAME = "Demo"
STAFF_USERNAME = "admin"
SHIFT = timedelta(hours=12)


class Command(BaseCommand):
    help = "Create example people and places, and print their ids and a new API key as JSON. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password", help=f"Password of the staff user; default: the environment variable {PASSWORD_VARIABLE}."
        )

    def handle(self, *args: Any, password: str | None = None, **options: Any) -> None:  # noqa: ARG002  Django's signature
        chosen = password or os.environ.get(PASSWORD_VARIABLE, "")
        if settings.STAGE == "production":
            raise CommandError("The demo's people must not be created in production. Set STAGE=dev.")
        if not chosen:
            raise CommandError(f"There is no password for the staff user. Give --password or set {PASSWORD_VARIABLE}.")
        self.stdout.write(json.dumps(seed_demo(chosen)))


@transaction.atomic
def seed_demo(password: str) -> dict[str, Any]:
    """Create or find the demo's rows, with a current shift for each guard."""
    staff = _user(STAFF_USERNAME, "", "")
    staff.is_staff = staff.is_superuser = True
    staff.set_password(password)
    staff.save()
    client, _created = Client.objects.get_or_create(user=_user("client-1", "Client", "1"))
    supervisors = [_supervisor(number) for number in (1, 2)]
    places = [_place(number, client, supervisors) for number in (1, 2)]
    guards = [
        Guard.objects.get_or_create(user=_user(f"guard-{number}", "Guard", f"{number}"))[0] for number in (1, 2, 3)
    ]
    shifts = [_shift(guard, places[index % len(places)]) for index, guard in enumerate(guards)]
    ApiKey.objects.filter(name=API_KEY_NAME).deactivate()
    _key, text = issue_api_key(API_KEY_NAME, guard=None)  # the demo sets API_KEYS_FOR_ALL_GUARDS
    return {
        "api_key": text,
        "client_id": client.pk,
        "guard_ids": [guard.pk for guard in guards],
        "property_ids": [place.pk for place in places],
        "shift_ids": [shift.pk for shift in shifts],
        "staff_username": STAFF_USERNAME,
        "supervisor_user_ids": [user.pk for user in supervisors],
    }


def _user(username: str, first_name: str, last_name: str) -> User:
    names = {"first_name": first_name, "last_name": last_name, "email": f"{username}@example.com"}
    user, created = User.objects.get_or_create(username=username, defaults=names)
    if created:
        user.set_unusable_password()
        user.save()
    return user


def _supervisor(number: int) -> User:
    user = _user(f"supervisor-{number}", "Supervisor", str(number))
    # Every second one reads Spanish, so that the demo shows both languages.
    Profile.objects.get_or_create(user=user, defaults={"language": "en" if number % 2 else "es"})
    return user


def _place(number: int, client: Client, supervisors: list[User]) -> Property:
    address = {"address": f"{number} Example Street"}
    place, _created = Property.objects.get_or_create(owner=client, name=f"Property {number}", defaults=address)
    for position, user in enumerate(supervisors):
        PropertySupervisor.objects.get_or_create(property=place, user=user, defaults={"position": position})
    return place


def _shift(guard: Guard, place: Property) -> Shift:
    now = timezone.now()
    current = Shift.objects.covering(now).filter(guard=guard).first()
    start = now - timedelta(hours=1)
    return current or Shift.objects.create(guard=guard, property=place, planned_start=start, planned_end=start + SHIFT)
