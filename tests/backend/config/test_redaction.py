"""Tokens of links in logs."""

import logging

import pytest
from django.test import Client

from config.redaction import redact_logs, without_tokens
from reports.links import incident_url, report_url


@pytest.mark.parametrize("path", ["/reports/{}/", "/incidents/{}/", "/files/{}/gate.jpg"])
@pytest.mark.parametrize("method", ["get", "put"])
@pytest.mark.django_db
def test_a_refused_request_leaves_no_token_in_the_log(caplog: pytest.LogCaptureFixture, path: str, method: str) -> None:
    token = report_url(1, 2).rpartition("/reports/")[2].rstrip("/")

    response = getattr(Client(), method)(path.format(token))

    assert response.status_code in {404, 405}
    assert "[token]" in caplog.text
    assert token not in caplog.text
    assert token.rpartition(":")[2] not in caplog.text


@pytest.mark.parametrize(
    "url",
    [report_url(1, 2), incident_url(3), report_url(1, 2).replace(":", "%3A")],
    ids=["report", "incident", "quoted"],  # the links have the time in them
)
def test_a_link_is_redacted_wherever_it_is_in_a_text(url: str) -> None:
    assert "[token]" in without_tokens(f'127.0.0.1 "GET {url} HTTP/1.1" 410')
    assert url[-20:-1] not in without_tokens(f'127.0.0.1 "GET {url} HTTP/1.1" 410')
    assert without_tokens("/admin/reports/guardreport/7/change/") == "/admin/reports/guardreport/7/change/"


def test_a_second_call_redacts_no_further(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()

    redact_logs()

    assert logging.getLogRecordFactory() is before
    logging.getLogger("x").warning("%s of %d", "/reports/a:b:c/", 3)
    assert caplog.messages == ["/reports/[token]/ of 3"]
