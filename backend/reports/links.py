"""The link of a mail to its report: signed, and good for one reader and REPORT_LINK_DAYS."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing

# Written out, since the functions that render mails have no URLconf to ask; a test holds it against config.urls.
REPORT_PAGE_PATH = "/reports/{token}/"
_SALT = "reports.links"


@dataclass(frozen=True)
class ReportLink:
    """Which report a link opens, and for whom."""

    report_id: int
    user_id: int


def report_url(link: ReportLink) -> str:
    """Return the address that opens the report, at PUBLIC_URL."""
    token = signing.dumps([link.report_id, link.user_id], salt=_SALT)
    return settings.PUBLIC_URL + REPORT_PAGE_PATH.format(token=token)


def read_token(token: str) -> ReportLink:
    """Return what a token names. Raises django.core.signing.SignatureExpired or BadSignature."""
    report_id, user_id = signing.loads(token, salt=_SALT, max_age=timedelta(days=settings.REPORT_LINK_DAYS))
    return ReportLink(report_id, user_id)
