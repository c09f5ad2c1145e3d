"""People and places for a first look: all generic, all addresses at example.com."""

from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from core.api_keys import issue_api_key
from core.models import ApiKey, Client, Guard, Profile, Property, PropertySupervisor, Shift

API_KEY_NAME = "Demo"
STAFF_USERNAME = "admin"
GUARDS = 3
PROPERTIES = 2
SUPERVISORS = 2
SHIFT = timedelta(hours=12)


@dataclass(frozen=True)
class Demo:
    """What the demo needs to know. ``api_key`` is new each time: an older one can not be shown again."""

    api_key: str
    client_id: int
    guard_ids: list[int]
    property_ids: list[int]
    shift_ids: list[int]
    staff_username: str
    supervisor_user_ids: list[int]


@transaction.atomic
def seed_demo(password: str) -> Demo:
    """Save the demo's people and places, or find them; a guard without a shift just now gets one."""
    _staff(password)
    client, _created = Client.objects.get_or_create(user=_user("client-1", "Client", "1"))
    supervisors = [_supervisor(number) for number in range(1, SUPERVISORS + 1)]
    places = [_place(number, client, supervisors) for number in range(1, PROPERTIES + 1)]
    guards = [_guard(number) for number in range(1, GUARDS + 1)]
    shifts = [_shift(guard, places[index % PROPERTIES]) for index, guard in enumerate(guards)]
    ApiKey.objects.filter(name=API_KEY_NAME).deactivate()
    _key, text = issue_api_key(API_KEY_NAME)
    return Demo(
        api_key=text,
        client_id=client.pk,
        guard_ids=[guard.pk for guard in guards],
        property_ids=[place.pk for place in places],
        shift_ids=[shift.pk for shift in shifts],
        staff_username=STAFF_USERNAME,
        supervisor_user_ids=[user.pk for user in supervisors],
    )


def _staff(password: str) -> None:
    staff = _user(STAFF_USERNAME, "", "")
    staff.is_staff = staff.is_superuser = True
    staff.set_password(password)
    staff.save()


def _user(username: str, first_name: str, last_name: str) -> User:
    names = {"first_name": first_name, "last_name": last_name, "email": f"{username}@example.com"}
    user, created = User.objects.get_or_create(username=username, defaults=names)
    if created:
        user.set_unusable_password()
        user.save()
    return user


def _supervisor(number: int) -> User:
    user = _user(f"supervisor-{number}", "Supervisor", str(number))
    # Every second one reads Spanish, so that a first look shows both languages.
    Profile.objects.get_or_create(user=user, defaults={"language": "en" if number % 2 else "es"})
    return user


def _place(number: int, client: Client, supervisors: list[User]) -> Property:
    address = f"{number} Example Street"
    place, _created = Property.objects.get_or_create(
        owner=client, name=f"Property {number}", defaults={"address": address}
    )
    for position, user in enumerate(supervisors):
        PropertySupervisor.objects.get_or_create(property=place, user=user, defaults={"position": position})
    return place


def _guard(number: int) -> Guard:
    guard, _created = Guard.objects.get_or_create(user=_user(f"guard-{number}", "Guard", str(number)))
    return guard


def _shift(guard: Guard, place: Property) -> Shift:
    now = timezone.now()
    covering = Shift.objects.covering(now).filter(guard=guard).first()
    start = now - timedelta(hours=1)
    return covering or Shift.objects.create(guard=guard, property=place, planned_start=start, planned_end=start + SHIFT)
