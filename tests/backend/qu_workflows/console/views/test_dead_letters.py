"""The pages of the dead letters, and their actions after a preview."""

import json

import boto3
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from qu_workflows.aws import clients as aws
from qu_workflows.console.access import Right
from qu_workflows.dead_letters import queries as dead_letter_queries
from qu_workflows.dead_letters import services as dead_letter_services
from qu_workflows.dead_letters.services import DEFAULT_PER_SECOND
from qu_workflows.records.models import AuditAction, AuditEntry, TaskRecord, TaskStatus
from tests.backend.qu_workflows.console.test_access import person, signed_in
from tests.backend.qu_workflows.dead_letter_queues import NO_JSON, UNFIT, UNKNOWN, DeadLetterQueue, good

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/console/dead-letters/"
BUCKET = "files-of-the-tests"


@pytest.fixture
def client() -> Client:
    return signed_in(person(*Right))


@pytest.fixture
def bucket(dead_letters: DeadLetterQueue, settings: Settings) -> str:
    assert dead_letters
    settings.AWS_STORAGE_BUCKET_NAME = BUCKET
    where = {"LocationConstraint": "us-east-2"}
    boto3.client("s3", "us-east-2").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)  # type: ignore[arg-type]
    return BUCKET


def saved_bodies() -> list[str]:
    s3 = boto3.client("s3", "us-east-2")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix="purged/").get("Contents", [])]
    texts = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys]
    return [json.loads(line)["body"] for text in texts for line in text.splitlines()]


def test_messages_have_reasons_and_are_counted_by_them(dead_letters: DeadLetterQueue, client: Client) -> None:
    ids = dead_letters.put(good("good-1"), UNKNOWN, UNFIT, NO_JSON)

    page = client.get(LIST).content.decode()
    twin = client.get(f"{LIST[:-1]}.json").json()

    for words in ("Can be dispatched now: 1", "Unknown task: 1", "Invalid payload: 1", "Not a JSON object: 1"):
        assert words in page
    assert {row["message_id"] for row in twin["rows"]} == set(ids)
    assert {row["reason"] for row in twin["rows"]} == {"CanBeDispatched", "UnknownTask", "PayloadDoesNotFit", "NotJson"}
    assert (twin["total"], twin["read"], twin["is_complete"]) == (4, 4, True)
    assert dead_letters.is_untouched_with(ids)


def test_the_list_is_narrowed_by_task_and_reason(dead_letters: DeadLetterQueue, client: Client) -> None:
    dead_letters.put(good("good-1"), UNKNOWN, UNFIT)

    assert [row["task"] for row in client.get(f"{LIST[:-1]}.json?task=os.system").json()["rows"]] == ["os.system"]
    by_reason = client.get(f"{LIST[:-1]}.json?reason=CanBeDispatched").json()
    assert [row["task_id"] for row in by_reason["rows"]] == ["good-1"]
    assert "No message matches" in client.get(f"{LIST}?reason=NotJson").content.decode()


def test_the_queue_is_read_once_for_all_who_look(dead_letters: DeadLetterQueue, client: Client) -> None:
    dead_letters.put(good("good-1"))
    received: list[str] = []
    aws.sqs().meta.events.register("before-call.sqs.ReceiveMessage", lambda **_call: received.append("once"))

    client.get(LIST)
    first = len(received)
    client.get(LIST)
    client.get(f"{LIST[:-1]}.json")

    assert first > 0
    assert len(received) == first


def test_an_empty_queue_is_not_waited_for(dead_letters: DeadLetterQueue, client: Client) -> None:
    assert dead_letters
    received: list[str] = []
    aws.sqs().meta.events.register("before-call.sqs.ReceiveMessage", lambda **_call: received.append("once"))

    assert "There are no dead letters" in client.get(LIST).content.decode()
    assert received == []


def test_no_more_are_read_than_are_shown(
    dead_letters: DeadLetterQueue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_queries, "MOST_SHOWN", 5)
    dead_letters.put(*[good(f"good-{number}") for number in range(12)])

    page = client.get(LIST).content.decode()
    twin = client.get(f"{LIST[:-1]}.json").json()

    assert (twin["read"], twin["is_complete"], twin["total"]) == (5, False, 12)
    assert "of about <strong>12</strong>" in page
    assert "Redrive the whole queue" in page


def test_when_sqs_is_lost_the_page_says_what_was_known(
    dead_letters: DeadLetterQueue, client: Client, settings: Settings
) -> None:
    dead_letters.put(good("good-1"))
    client.get(LIST)
    dead_letter_queries.expire_snapshot()
    settings.AWS_SQS_DLQ_URL = f"{dead_letters.url}-gone"

    page = client.get(LIST).content.decode()
    twin = client.get(f"{LIST[:-1]}.json").json()

    assert "The data below is from" in page
    assert "good-1" in json.dumps(twin["rows"])
    assert twin["unanswered"]


def test_when_nothing_was_ever_read_only_that_is_said(client: Client, settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = True
    settings.AWS_SQS_QUEUE_URL = ""

    page = client.get(LIST).content.decode()

    assert "AWS_SQS_QUEUE_URL" in page
    assert "There are no dead letters" not in page


def test_one_message_is_shown_masked_with_the_execution_that_it_would_start(
    dead_letters: DeadLetterQueue, client: Client
) -> None:
    [message_id] = dead_letters.put(good("good-1", payload={"data": "example <b>"}, token="t0p-secret"))

    page = client.get(f"{LIST}{message_id}/").content.decode()
    twin = client.get(f"{LIST}{message_id}.json").json()

    assert twin["start"]["name"] == "good-1"
    assert twin["start"]["workflow"] == "run_task"
    assert "starts exactly this execution, once" in page
    assert "example &lt;b&gt;" in page
    assert "t0p-secret" not in page + json.dumps(twin)


def test_a_message_that_would_be_refused_offers_no_redrive(dead_letters: DeadLetterQueue, client: Client) -> None:
    [message_id] = dead_letters.put(UNKNOWN)

    page = client.get(f"{LIST}{message_id}/").content.decode()

    assert "os.system" in page
    assert "it would return here" in page
    assert "dead-letters/redrive/" not in page


def test_a_message_whose_task_ran_is_shown_with_its_record(dead_letters: DeadLetterQueue, client: Client) -> None:
    TaskRecord.objects.create(
        pk="good-1", task="t", workflow="run_task", status=TaskStatus.SUCCEEDED, enqueued_at=timezone.now()
    )
    [message_id] = dead_letters.put(good("good-1"))

    page = client.get(f"{LIST}{message_id}/").content.decode()

    assert 'href="/console/tasks/good-1/"' in page
    assert "If the message is moved back, it starts nothing" in page


def test_a_message_that_is_not_there_is_not_found(dead_letters: DeadLetterQueue, client: Client) -> None:
    dead_letters.put(good("good-1"))

    response = client.get(f"{LIST}no-such-message/")

    assert response.status_code == 404
    assert "manage.py dlq show" in response.content.decode()


def test_a_redrive_is_shown_before_it_is_done(dead_letters: DeadLetterQueue, client: Client) -> None:
    ids = dead_letters.put(good("good-1"), good("good-2"), UNKNOWN)

    page = client.post(f"{LIST}redrive/", {"ids": ids, "per_second": "50"}).content.decode()

    assert "Redrive 2 messages" in page
    assert "Not moved, since" in page
    assert dead_letters.is_untouched_with(ids)

    response = client.post(f"{LIST}redrive/", {"ids": ids[:2], "confirm": "yes"}, follow=True)

    assert "2 messages were moved to the task queue." in response.content.decode()
    assert sorted(dead_letters.moved_ids()) == ["good-1", "good-2"]
    assert dead_letters.ids() == {ids[2]}
    entry = AuditEntry.objects.get(action=AuditAction.REDRIVE_DEAD_LETTERS)
    assert entry.actor.startswith("person-")
    assert [row["task"] for row in client.get(f"{LIST[:-1]}.json").json()["rows"]] == ["os.system"]


def test_all_that_a_filter_shows_are_chosen_with_one_button(dead_letters: DeadLetterQueue, client: Client) -> None:
    ids = dead_letters.put(good("good-1"), UNKNOWN, good("good-2"))

    page = client.post(f"{LIST}redrive/", {"scope": "shown", "reason": "CanBeDispatched"}).content.decode()

    assert ids[0] in page
    assert ids[2] in page
    assert ids[1] not in page


def test_the_whole_queue_is_moved_but_for_what_would_come_back(dead_letters: DeadLetterQueue, client: Client) -> None:
    ids = dead_letters.put(*[good(f"good-{number}") for number in range(12)], UNKNOWN)

    client.post(f"{LIST}redrive/", {"scope": "everything", "confirm": "yes"})

    assert len(dead_letters.moved_ids()) == 12
    assert dead_letters.ids() == {ids[-1]}


def test_a_redrive_ends_at_its_time_limit_with_the_command(
    dead_letters: DeadLetterQueue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_services, "SECONDS", 1.5)
    dead_letters.put(*[good(f"good-{number}") for number in range(25)])

    response = client.post(f"{LIST}redrive/", {"scope": "everything", "confirm": "yes", "per_second": "1"}, follow=True)

    page = response.content.decode()
    assert "The time limit was reached" in page
    assert "manage.py dlq redrive --all --per-second 1 --yes" in page
    assert dead_letters.moved()
    assert len(dead_letters.moved()) + len(dead_letters.ids()) == 25
    assert dead_letters.ids()


def test_too_long_a_queue_is_refused_with_the_command(
    dead_letters: DeadLetterQueue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter_services, "MOST_IN_A_REQUEST", 2)
    ids = dead_letters.put(*[good(f"good-{number}") for number in range(3)])

    page = client.post(f"{LIST}redrive/", {"scope": "everything", "confirm": "yes"}, follow=True).content.decode()

    assert "manage.py dlq redrive --all" in page
    assert dead_letters.is_untouched_with(ids)


@pytest.mark.parametrize("per_second", ["0", "501"])
def test_a_pace_that_is_none_is_refused(dead_letters: DeadLetterQueue, client: Client, per_second: str) -> None:
    ids = dead_letters.put(good("good-1"))

    page = client.post(
        f"{LIST}redrive/", {"ids": ids, "confirm": "yes", "per_second": per_second}, follow=True
    ).content.decode()

    assert "notice-error" in page
    assert dead_letters.is_untouched_with(ids)


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "x", "٣"])
def test_what_is_no_number_counts_as_not_given(dead_letters: DeadLetterQueue, client: Client, number: str) -> None:
    ids = dead_letters.put(good("good-1"))

    page = client.post(f"{LIST}redrive/", {"ids": ids, "per_second": number})
    listed = client.get(LIST, {"start": number})

    assert f'value="{DEFAULT_PER_SECOND}"' in page.content.decode()
    assert ids[0] in listed.content.decode()


@pytest.mark.parametrize("act", ["redrive", "purge"])
def test_without_a_choice_nothing_is_done(dead_letters: DeadLetterQueue, client: Client, act: str) -> None:
    ids = dead_letters.put(good("good-1"))

    page = client.post(f"{LIST}{act}/", {"confirm": "yes", "count": "0"}, follow=True).content.decode()

    assert "Nothing was selected" in page
    assert dead_letters.is_untouched_with(ids)


@pytest.mark.usefixtures("bucket")
def test_what_is_purged_is_saved_first_and_only_with_its_number_typed(
    dead_letters: DeadLetterQueue, client: Client
) -> None:
    ids = dead_letters.put(UNKNOWN, NO_JSON, good("good-1"))

    assert "Type 2" in client.post(f"{LIST}purge/", {"ids": ids[:2]}).content.decode()
    wrong = client.post(f"{LIST}purge/", {"ids": ids[:2], "confirm": "yes", "count": "3"}).content.decode()
    assert "The number is not 2. Nothing was deleted." in wrong
    assert dead_letters.is_untouched_with(ids)

    done = client.post(f"{LIST}purge/", {"ids": ids[:2], "confirm": "yes", "count": "2"}, follow=True)

    assert "2 messages were deleted; they are saved in s3://files-of-the-tests/purged/" in done.content.decode()
    assert dead_letters.ids() == {ids[2]}
    assert sorted(saved_bodies()) == sorted([UNKNOWN, NO_JSON])
    entries = AuditEntry.objects.filter(action=AuditAction.PURGE_DEAD_LETTERS)
    assert {entry.target for entry in entries} == set(ids[:2])
    assert all(entry.details["saved_to"].startswith("s3://") for entry in entries)


def test_what_can_not_be_saved_is_not_deleted(
    dead_letters: DeadLetterQueue, client: Client, settings: Settings
) -> None:
    ids = dead_letters.put(UNKNOWN)
    for bucket in ("", "no-such-bucket"):
        settings.AWS_STORAGE_BUCKET_NAME = bucket

        page = client.post(f"{LIST}purge/", {"ids": ids, "confirm": "yes", "count": "1"}, follow=True).content.decode()

        assert "notice-error" in page
        assert dead_letters.is_untouched_with(ids)


def test_who_lacks_a_right_is_not_shown_its_button(dead_letters: DeadLetterQueue) -> None:
    [message_id] = dead_letters.put(good("good-1"))

    for address in (LIST, f"{LIST}{message_id}/"):
        seen = signed_in(person(Right.VIEW)).get(address).content.decode()
        redriver = signed_in(person(Right.VIEW, Right.REDRIVE)).get(address).content.decode()

        assert "dead-letters/redrive/" not in seen
        assert "dead-letters/purge/" not in seen
        assert "dead-letters/redrive/" in redriver
        assert "dead-letters/purge/" not in redriver
