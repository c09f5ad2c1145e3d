"""The links of mails, signed: to a report, for one reader and REPORT_LINK_DAYS; to the question about an incident."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing

# Written out, since the functions that render mails have no URLconf to ask; a test holds it against config.urls.
REPORT_PAGE_PATH = "/reports/{token}/"
INCIDENT_PAGE_PATH = "/incidents/{token}/"
# As long as an execution of incident_escalation can be open at all; a turn's own time ends far sooner.
INCIDENT_LINK_DAYS = 7
_SALT = "reports.links"
_INCIDENT_SALT = "reports.links.incident"


@dataclass(frozen=True)
class ReportLink:
    """Report that a link opens, and its reader."""

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


def incident_url(inquiry_id: int) -> str:
    """Return the address where the person who is asked of an incident answers, at PUBLIC_URL."""
    return settings.PUBLIC_URL + INCIDENT_PAGE_PATH.format(token=signing.dumps(inquiry_id, salt=_INCIDENT_SALT))


def read_incident_token(token: str) -> int:
    """Return the inquiry that a token names. Raises django.core.signing.SignatureExpired or BadSignature."""
    inquiry_id: int = signing.loads(token, salt=_INCIDENT_SALT, max_age=timedelta(days=INCIDENT_LINK_DAYS))
    return inquiry_id
