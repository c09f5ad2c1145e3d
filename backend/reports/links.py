"""Signed links in mails: to a report for one reader, and to an incident's inquiry."""

from datetime import timedelta

from django.conf import settings
from django.core import signing

# Literal, since the functions that render mails have no URLconf; a test compares them with config.urls.
REPORT_PAGE_PATH = "/reports/{token}/"
INCIDENT_PAGE_PATH = "/incidents/{token}/"
# The maximum duration of an incident_escalation execution; a turn ends much earlier.
INCIDENT_LINK_DAYS = 7
_SALT = "reports.links"
_INCIDENT_SALT = "reports.links.incident"


def report_url(report_id: int, user_id: int) -> str:
    """Return the public URL of a report for a reader."""
    token = signing.dumps([report_id, user_id], salt=_SALT)
    return settings.PUBLIC_URL + REPORT_PAGE_PATH.format(token=token)


def read_token(token: str) -> tuple[int, int]:
    """Return a token's report id and user id. Raises SignatureExpired or BadSignature."""
    report_id, user_id = signing.loads(token, salt=_SALT, max_age=timedelta(days=settings.REPORT_LINK_DAYS))
    return report_id, user_id


def incident_url(inquiry_id: int) -> str:
    """Return the public URL where a person answers an inquiry."""
    return settings.PUBLIC_URL + INCIDENT_PAGE_PATH.format(token=signing.dumps(inquiry_id, salt=_INCIDENT_SALT))


def read_incident_token(token: str) -> int:
    """Return a token's inquiry id. Raises SignatureExpired or BadSignature."""
    inquiry_id: int = signing.loads(token, salt=_INCIDENT_SALT, max_age=timedelta(days=INCIDENT_LINK_DAYS))
    return inquiry_id
