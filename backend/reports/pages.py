"""Pages without sign-in: the report behind a mail's link, and files on the local disk."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.core.signing import BadSignature, SignatureExpired
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.models import language_of
from reports.contradictions import sentences_beside_files
from reports.files.ranges import serve
from reports.files.storage import disposition_of, objects, open_signed, original_url
from reports.links import read_token
from reports.models import GuardReport, Thumbnail
from reports.presentation import PresentedFile, present, title
from reports.services import may_read

# Nothing in a file may run, and it has no origin. Chromium plays videos and recordings only with an origin, which is
# safe since they run no scripts.
_SANDBOX = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
_PLAYED = ("video/", "audio/")
# A second defense, should a note get past the escaping. Pictures may be in S3.
_PAGE_POLICY = "default-src 'none'; img-src *; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@require_safe
def report_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show a report to a link's reader. Return 410 for an expired link, else 404."""
    try:
        report_id, user_id = read_token(token)
    except SignatureExpired:
        return refusal(request, 410, _("This link has expired"), _("Ask the security office for the report."))
    except BadSignature:
        return _no_report(request)
    report = GuardReport.objects.active().for_reading().filter(pk=report_id).first()
    reader = User.objects.filter(pk=user_id, is_active=True).select_related("profile").first()
    if report is None or reader is None or not may_read(report, reader):
        return _no_report(request)
    with translation.override(language_of(reader)):
        shown = present(report, sentences_beside_files(report))
        context = {
            "shown": shown,
            "title": title(report),
            "pictures": [page_picture(file) for file in shown.pictures],
            "files": [(file, original_url(file.file)) for file in shown.files],
        }
        page = render(request, "reports/report.html", context)
        page["Content-Security-Policy"] = _PAGE_POLICY
        return private(page)


@require_safe
def signed_file(request: HttpRequest, token: str, name: str) -> HttpResponse | FileResponse:  # noqa: ARG001  the name is for people
    """Serve a local file. Return 410 for an expired URL, 404 for an invalid one."""
    try:
        path, media_type = open_signed(token)
    except SignatureExpired:
        return HttpResponse(_("This link has expired"), status=410, content_type="text/plain; charset=utf-8")
    except (BadSignature, FileNotFoundError):
        return HttpResponse(_("There is no such file"), status=404, content_type="text/plain; charset=utf-8")
    response = serve(request, path, media_type)
    response["Content-Disposition"] = f'{disposition_of(media_type)}; filename="{path.name}"'
    origin = " allow-same-origin" if media_type.startswith(_PLAYED) else ""
    response["Content-Security-Policy"] = f"{_SANDBOX}{origin}"
    response["X-Content-Type-Options"] = "nosniff"
    return private(response)


def page_picture(shown: PresentedFile) -> dict[str, object]:
    """Return the context of a picture for a page's template."""
    modern, others = shown.stills("image/webp"), shown.stills("image/jpeg")
    largest = (others or modern)[-1]
    return {
        "shown": shown,
        "url": original_url(shown.file),
        "src": objects().url(largest.key),
        "srcset": _source_set(others or modern),
        "modern_srcset": _source_set(modern) if others else "",
        "width": largest.width,
        "height": largest.height,
        "preview": objects().url(shown.preview.key) if shown.preview else "",
    }


def _source_set(thumbnails: Sequence[Thumbnail]) -> str:
    return ", ".join(f"{objects().url(thumbnail.key)} {thumbnail.width}w" for thumbnail in thumbnails)


def _no_report(request: HttpRequest) -> HttpResponse:
    problem = _("There is no such report")
    return refusal(request, 404, problem, _("Open the link in the mail without changing it."))


def refusal(request: HttpRequest, status: int, problem: str, remedy: str) -> HttpResponse:
    """Return an error page with the problem and the remedy."""
    page = render(request, "reports/refusal.html", {"title": problem, "remedy": remedy}, status=status)
    return private(page)


def private[ResponseT: HttpResponse | FileResponse](response: ResponseT) -> ResponseT:
    """Exclude a response from shared caches and search engines, and hide its URL."""
    patch_cache_control(response, private=True, max_age=0 if isinstance(response, HttpResponse) else 3600)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
