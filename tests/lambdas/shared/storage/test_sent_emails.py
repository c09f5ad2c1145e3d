"""The contract of both ledgers: DynamoDB and a folder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from lambdas.shared.storage.sent_emails import Claim, DiskSentEmails, DynamoDbSentEmails, Entry, SentEmails
from workflows.errors import StorageUnavailable

KEY = "guard_report/1/2"


@pytest.fixture(params=["DynamoDB", "disk"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SentEmails]:
    if request.param == "disk":
        yield DiskSentEmails(tmp_path / "ledger")
        return
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-2")
        client.create_table(
            TableName="sent",
            KeySchema=[{"AttributeName": "send_once_key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "send_once_key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield DynamoDbSentEmails("sent", client)


def claim(holder: str = "first", key: str = KEY, at: float = 1_700_000_000.5) -> Claim:
    return Claim(key, "task", holder, at)


def test_an_unclaimed_mail_has_no_entry(ledger: SentEmails) -> None:
    assert ledger.find(KEY) is None


def test_the_first_claim_is_granted_and_the_next_is_not(ledger: SentEmails) -> None:
    assert ledger.claim(claim()) is None

    assert ledger.claim(claim("second")) == Entry("sending", 1_700_000_000.5)
    assert ledger.find(KEY) == Entry("sending", 1_700_000_000.5)
    assert ledger.claim(claim("second", key="guard_report/1/3")) is None


def test_a_repeated_claim_is_granted_again(ledger: SentEmails) -> None:
    assert ledger.claim(claim()) is None
    assert ledger.claim(claim()) is None


def test_a_confirmed_claim_is_a_sent_mail(ledger: SentEmails) -> None:
    ledger.claim(claim())

    ledger.confirm(claim(), "message-1")

    assert ledger.find(KEY) == Entry("sent", 1_700_000_000.5, "message-1")
    assert ledger.claim(claim("second")) == Entry("sent", 1_700_000_000.5, "message-1")


def test_a_released_claim_is_free_again(ledger: SentEmails) -> None:
    ledger.claim(claim())

    ledger.release(claim())

    assert ledger.find(KEY) is None
    assert ledger.claim(claim("second")) is None


def test_a_claim_is_released_by_its_holder_only(ledger: SentEmails) -> None:
    ledger.claim(claim())

    ledger.release(claim("second"))

    assert ledger.find(KEY) == Entry("sending", 1_700_000_000.5)


def test_a_sent_mail_is_not_released(ledger: SentEmails) -> None:
    ledger.claim(claim())
    ledger.confirm(claim(), "message-1")

    ledger.release(claim())

    assert ledger.find(KEY) == Entry("sent", 1_700_000_000.5, "message-1")


def test_a_claim_is_confirmed_by_its_holder_only(ledger: SentEmails) -> None:
    ledger.claim(claim())

    with pytest.raises(Exception, match=r"condition|another attempt"):
        ledger.confirm(claim("second"), "message-2")

    assert ledger.find(KEY) == Entry("sending", 1_700_000_000.5)


def test_one_of_many_concurrent_claims_is_granted(tmp_path: Path) -> None:
    ledger = DiskSentEmails(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: ledger.claim(claim(str(number))), range(64)))

    assert answers.count(None) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("a file")

    with pytest.raises(StorageUnavailable, match="ledger's folder"):
        DiskSentEmails(tmp_path / "ledger").claim(claim())
