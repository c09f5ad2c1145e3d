"""People, places and reports for the tests, each with what it needs and nothing more."""

from datetime import timedelta
from io import BytesIO
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from core.models import Client, Guard, Profile, Property, PropertySupervisor, Shift
from reports.models import FileState, GuardReport, ReportFile, Thumbnail
from reports.services import SUPERVISORS_GROUP

_numbers = count(1)


def make_user(name: str = "person", language: str = "", **fields: Any) -> User:
    username = f"{name}-{next(_numbers)}"
    user = User.objects.create_user(username, **{"email": f"{username}@example.com"} | fields)
    if language:
        Profile.objects.create(user=user, language=language)
    return user


def make_guard(**fields: Any) -> Guard:
    return Guard.objects.create(**{"user": make_user("guard", first_name="Guard", last_name="1")} | fields)


def make_client(**fields: Any) -> Client:
    return Client.objects.create(**{"user": make_user("client")} | fields)


def make_property(*supervisors: User, **fields: Any) -> Property:
    place = Property.objects.create(
        **{"owner": fields.get("owner") or make_client(), "name": "Property 1", "address": "1 Example Street"} | fields
    )
    for position, user in enumerate(supervisors):
        PropertySupervisor.objects.create(property=place, user=user, position=position)
    return place


def make_reader(report: GuardReport, user: User | None = None) -> User:
    """A recipient of the report's mails: a supervisor of its property, or of all properties."""
    user = user or make_user("supervisor")
    if report.property is None:
        user.groups.add(Group.objects.get_or_create(name=SUPERVISORS_GROUP)[0])
    else:
        place, position = report.property, report.property.supervisor_links.count()
        PropertySupervisor.objects.get_or_create(property=place, user=user, defaults={"position": position})
    return user


def make_shift(guard: Guard, place: Property | None = None, **fields: Any) -> Shift:
    start = timezone.now() - timedelta(hours=1)
    times = {"planned_start": start, "planned_end": start + timedelta(hours=8)}
    return Shift.objects.create(guard=guard, property=place or make_property(), **times | fields)


def make_report(guard: Guard | None = None, **fields: Any) -> GuardReport:
    return GuardReport.objects.create(guard=guard or make_guard(), **{"note": "All quiet."} | fields)


def make_file(report: GuardReport, name: str = "front-door.jpg", **fields: Any) -> ReportFile:
    given = {"position": report.files.count(), "file": f"guard_reports/2026/11/24/{name}", "size_bytes": 1234}
    return ReportFile.objects.create(report=report, name=name, **given | fields)


def make_picture(report: GuardReport, name: str = "front-door.jpg", **fields: Any) -> ReportFile:
    """An accepted picture with its thumbnails."""
    facts = {"kind": "image", "media_type": "image/jpeg", "width": 4032, "height": 3024, "size_bytes": 2_202_009}
    file = make_file(report, name, status=FileState.ACCEPTED, **facts | fields)
    for size, width in (("small", 160), ("medium", 480), ("large", 1280)):
        for media_type in ("image/webp", "image/jpeg"):
            make_thumbnail(file, size, width, media_type)
    return file


def make_old_picture(report: GuardReport, name: str = "front-door.jpg", **fields: Any) -> ReportFile:
    """A picture as recorded before each size had a JPEG."""
    file = make_picture(report, name, **fields)
    file.thumbnails.filter(media_type="image/jpeg").delete()
    make_thumbnail(file, "email", 480, "image/jpeg")
    return file


def make_video(report: GuardReport, name: str = "walk.mp4", **fields: Any) -> ReportFile:
    """An accepted video with its poster frame and its preview."""
    facts = {"kind": "video", "media_type": "video/mp4", "width": 1920, "height": 1080, "duration_seconds": 42.4}
    file = make_picture(report, name, **facts | fields)
    make_thumbnail(file, "preview", 320, "image/webp")
    return file


def make_thumbnail(file: ReportFile, size: str, width: int, media_type: str) -> Thumbnail:
    return Thumbnail.objects.create(
        report_file=file,
        size=size,
        key=f"thumbnails/{file.pk:064x}/{size}.{'jpg' if media_type == 'image/jpeg' else 'webp'}",
        media_type=media_type,
        width=width,
        height=width * 3 // 4,
        size_bytes=1000,
    )


def photo(name: str = "front-door.jpg", size: tuple[int, int] = (64, 48)) -> SimpleUploadedFile:
    buffer = BytesIO()
    Image.new("RGB", size, "navy").save(buffer, "JPEG")
    return SimpleUploadedFile(name, buffer.getvalue(), "image/jpeg")
