import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import Group, User
from django.core.management import get_commands, load_command_class
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from common.emails import notification_email
from qu_workflows.alerts.hooks import OPERATIONS_GROUP, AlertHooks, register, registered_hooks
from qu_workflows.alerts.queries import EVENT_DELAY_SECONDS, MAX_EXAMPLES, Finding, alert_kinds
from qu_workflows.alerts.services import CALM_SECONDS, next_step, watch
from qu_workflows.alerts.tasks import watch_stuck
from qu_workflows.aws import clients as aws
from qu_workflows.records.models import Alert, AuditAction, AuditEntry, AuditOutcome, TaskRecord, TaskStatus
from tests.backend.people import make_report, make_user
from tests.backend.qu_workflows.conftest import Queue
from tests.backend.qu_workflows.tasks.test_running import side_by_side
from workflows.contracts.notification_email import NotificationEmailInput
from workflows.project import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)  # long past: the mails themselves, enqueued today, are never stuck
HOUR, DAY = 3600, 86_400
LATER = NOW + timedelta(seconds=CALM_SECONDS)
MAIL_TASK = "send_notification_email"


@pytest.fixture
def operator() -> User:
    user = make_user("operator")
    user.groups.add(Group.objects.create(name=OPERATIONS_GROUP))
    return user


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.STUCK_UNSENT_SECONDS, settings.STUCK_UNSTARTED_SECONDS = 300, 900
    settings.STUCK_RUNNING_SECONDS, settings.STUCK_REMIND_SECONDS = 5 * HOUR, DAY


@pytest.fixture
def dead_letters(queue: Queue, settings: Settings) -> Queue:
    assert queue
    settings.AWS_SQS_DLQ_URL = boto3.client("sqs", "us-east-2").create_queue(QueueName="tasks-dlq")["QueueUrl"]
    return Queue(settings.AWS_SQS_DLQ_URL)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def record(status: str, seconds_ago: float, **fields: Any) -> TaskRecord:
    moment = ago(seconds_ago)
    times = {
        TaskStatus.READY: {},
        TaskStatus.SENT: {"sent_at": moment},
        TaskStatus.RUNNING: {"sent_at": moment, "started_at": moment},
    }.get(TaskStatus(status), {"finished_at": moment})
    given = {"task": "sample_sum", "workflow": "run_task", "status": status, "enqueued_at": moment} | times | fields
    return TaskRecord.objects.create(**given)


def escalation(report_id: int, status: str = TaskStatus.FAILED, seconds_ago: float = HOUR) -> TaskRecord:
    names = {"task": "escalate_incident", "workflow": "incident_escalation"}
    return record(status, seconds_ago, subject_id=report_id, **names)


def found(**seen: Any) -> dict[str, int]:
    return {kind: finding["count"] for kind, finding in watch(NOW, **seen)["findings"].items()}


def mails() -> list[dict[str, Any]]:
    """The mails that were enqueued, the oldest first."""
    return list(TaskRecord.objects.filter(task=MAIL_TASK).order_by("pk").values_list("payload", flat=True))


def headings() -> list[str]:
    return [mail["context"]["event"] for mail in mails()]


# ---- What is found ----


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize(
    ("status", "fields", "kind", "limit"),
    [
        ("READY", {}, "unsent", 300),
        ("READY", {"run_after": ago(300)}, "unsent", HOUR),
        ("SENT", {}, "unstarted", 900),
        ("SENT", {"run_after": ago(900)}, "unstarted", HOUR),
        ("SENT", {"sent_at": ago(900)}, "unstarted", HOUR),
        ("RUNNING", {}, "running", 5 * HOUR),
        ("RUNNING", {"workflow": "guard_report"}, "running", 5 * HOUR),
        ("RUNNING", {"workflow": "of_old"}, "running", 5 * HOUR),
        (
            "RUNNING",
            {"workflow": "incident_escalation"},
            "running",
            PROJECT.timeout_seconds["incident_escalation"] + EVENT_DELAY_SECONDS,
        ),
    ],
)
def test_a_record_is_stuck_once_it_is_older_than_its_limit(
    status: str, fields: dict[str, Any], kind: str, limit: int
) -> None:
    made = record(status, limit, **fields)
    assert found() == {}

    for name in ("enqueued_at", "sent_at", "started_at", "run_after"):
        if moment := getattr(made, name):
            setattr(made, name, moment - timedelta(seconds=1))
    made.save()

    assert found() == {kind: 1}


@pytest.mark.usefixtures("queue")
def test_a_delayed_task_is_stuck_only_after_its_delay() -> None:
    record("READY", 1100, delay_seconds=600)
    assert found() == {}
    record("READY", 1300, delay_seconds=600)
    assert found() == {"unsent": 1}


@pytest.mark.usefixtures("queue")
def test_a_limit_above_the_machines_timeout_takes_precedence(settings: Settings) -> None:
    settings.STUCK_RUNNING_SECONDS = 9 * DAY
    record("RUNNING", 8 * DAY, workflow="incident_escalation")

    assert found() == {}


@pytest.mark.usefixtures("queue")
def test_an_execution_that_was_redriven_runs_since_its_redrive() -> None:
    made = record("RUNNING", 3 * DAY, redrive_count=1)
    entry = AuditEntry.objects.create(
        actor="a@b", action=AuditAction.REDRIVE_EXECUTION, target=made.pk, outcome=AuditOutcome.DONE, at=ago(HOUR)
    )
    assert found() == {}

    AuditEntry.objects.filter(pk=entry.pk).update(outcome=AuditOutcome.REFUSED)
    assert found() == {"running": 1}


@pytest.mark.usefixtures("queue")
def test_ended_tasks_are_never_stuck() -> None:
    for status in ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"):
        record(status, 9 * DAY)

    assert found() == {}


@pytest.mark.usefixtures("queue")
def test_an_unacknowledged_incident_is_stuck_once_its_escalation_failed() -> None:
    report = make_report(is_incident=True)
    escalation(report.pk, seconds_ago=9 * HOUR)
    last = escalation(report.pk, TaskStatus.TIMED_OUT)

    [example] = watch(NOW)["findings"]["unacknowledged"]["examples"]
    assert (example["id"], example["subject_id"]) == (last.pk, report.pk)

    report.acknowledged_at = NOW
    report.save()
    assert found() == {}


@pytest.mark.usefixtures("queue")
@pytest.mark.parametrize("status", [TaskStatus.READY, TaskStatus.SENT, TaskStatus.RUNNING])
def test_an_incident_with_a_running_escalation_is_not_stuck(status: str) -> None:
    report = make_report(is_incident=True)
    escalation(report.pk)
    escalation(report.pk, status, seconds_ago=1)

    assert found() == {}


@pytest.mark.usefixtures("queue")
def test_a_deactivated_incident_is_not_stuck() -> None:
    escalation(make_report(is_incident=True, is_active=False).pk)
    escalation(987_654)

    assert found() == {}


def test_dead_letters_and_queued_messages_are_counted(queue: Queue, dead_letters: Queue) -> None:
    for url, count in ((queue.url, 3), (dead_letters.url, 2)):
        for _ in range(count):
            aws.sqs().send_message(QueueUrl=url, MessageBody="{}")
    aws.sqs().receive_message(QueueUrl=queue.url)

    seen = watch_stuck.call()

    assert seen["findings"] == {"dead_letters": {"count": 2, "oldest": None, "examples": []}}
    assert seen["queue"] == {"waiting": 2, "in_flight": 1}


@pytest.mark.usefixtures("queue")
def test_a_finding_has_the_count_and_the_five_oldest() -> None:
    made = [record("READY", HOUR + n) for n in range(12)]

    [unsent] = watch(NOW)["findings"].values()

    assert unsent["count"] == 12
    assert [one["id"] for one in unsent["examples"]] == [one.pk for one in reversed(made)][:MAX_EXAMPLES]
    assert unsent["oldest"] == unsent["examples"][0]["since"] == ago(HOUR + 11).isoformat()


@pytest.mark.usefixtures("queue_down", "operator")
def test_an_unreachable_queue_is_reported_and_hides_nothing_else(settings: Settings) -> None:
    settings.AWS_SQS_DLQ_URL = f"{settings.AWS_SQS_QUEUE_URL}-dlq"
    record("READY", HOUR)

    seen = watch(NOW)

    assert list(seen["findings"]) == ["unsent"]
    assert seen["unread"]["dead_letters"].startswith("EndpointConnectionError")
    assert seen["mailed"] == 1
    assert "Could not be checked: Dead letters (EndpointConnectionError" in rendered(mails()[0]).text


def test_without_a_queue_aws_is_not_called(settings: Settings) -> None:
    settings.USE_ASYNC_TASKS = False

    assert watch(NOW) == {
        "findings": {},
        "mailed": 0,
        "queue": {"waiting": None, "in_flight": None},
        "unread": {},
    }


# ---- When mails are sent ----


@pytest.mark.usefixtures("queue", "operator")
def test_an_alert_is_mailed_when_it_opens_widens_lasts_and_closes() -> None:
    mailed = []

    def check(minutes: int) -> None:
        mailed.append(watch(NOW + timedelta(minutes=minutes))["mailed"])

    check(0)
    stuck = record("READY", HOUR)
    check(5)
    check(10)
    other = record("RUNNING", 9 * HOUR)
    check(15)
    TaskRecord.objects.filter(pk=other.pk).update(status="SUCCEEDED")
    check(20)
    TaskRecord.objects.filter(pk=other.pk).update(status="RUNNING")
    check(25)
    check(24 * 60 + 14)
    check(24 * 60 + 15)
    check(24 * 60 + 20)
    TaskRecord.objects.filter(pk__in=[stuck.pk, other.pk]).update(status="SUCCEEDED")
    check(24 * 60 + 25)
    check(24 * 60 + 79)
    check(24 * 60 + 80)
    check(24 * 60 + 85)

    assert mailed == [0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert headings() == ["opened", "widened", "reminded", "closed"]
    alert = Alert.objects.get()
    assert alert.closed_at == NOW + timedelta(minutes=24 * 60 + 80)


@pytest.mark.usefixtures("queue", "operator")
def test_a_finding_after_a_closed_alert_opens_another() -> None:
    stuck = record("READY", HOUR)
    for hour, status in enumerate(("READY", "SUCCEEDED", "READY")):
        TaskRecord.objects.filter(pk=stuck.pk).update(status=status)
        watch(NOW + timedelta(hours=hour))

    assert headings() == ["opened", "closed", "opened"]
    assert Alert.objects.filter(closed_at__isnull=True).count() == 1


@pytest.mark.usefixtures("queue")
def test_only_active_members_of_operations_are_mailed(operator: User) -> None:
    group = Group.objects.get()
    for fields in ({"is_active": False}, {"email": ""}):
        make_user(**fields).groups.add(group)
    make_user(is_superuser=True)
    (second := make_user()).groups.add(group)
    record("READY", HOUR)

    assert watch(NOW)["mailed"] == 2
    assert [mail["user_id"] for mail in mails()] == [operator.pk, second.pk]


@pytest.mark.usefixtures("queue")
def test_without_members_the_superusers_are_mailed() -> None:
    superuser = make_user(is_superuser=True)
    make_user(is_superuser=True, email="")
    record("READY", HOUR)

    watch(NOW)

    assert [mail["user_id"] for mail in mails()] == [superuser.pk]


@pytest.mark.usefixtures("queue")
def test_an_alert_without_recipients_is_mailed_once_there_is_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    record("READY", HOUR)

    assert watch(NOW)["mailed"] == 0
    assert "An alert has no recipient" in caplog.text
    make_user(is_superuser=True)
    assert [watch(NOW)["mailed"] for _ in range(2)] == [1, 0]
    assert headings() == ["opened"]


@pytest.mark.usefixtures("queue", "operator")
def test_concurrent_watches_send_one_mail() -> None:
    stuck = record("READY", HOUR)

    assert sorted(seen["mailed"] for seen in side_by_side(lambda: watch(NOW), times=4)) == [0, 0, 0, 1]
    TaskRecord.objects.filter(pk=stuck.pk).update(status="SUCCEEDED")
    assert sorted(seen["mailed"] for seen in side_by_side(lambda: watch(LATER), times=4)) == [0, 0, 0, 1]
    assert headings() == ["opened", "closed"]


@pytest.mark.usefixtures("operator")
def test_dead_letters_that_cannot_be_counted_keep_the_alert_open(dead_letters: Queue, settings: Settings) -> None:
    aws.sqs().send_message(QueueUrl=dead_letters.url, MessageBody="{}")
    watch(NOW)
    there, settings.AWS_SQS_DLQ_URL = settings.AWS_SQS_DLQ_URL, f"{dead_letters.url}-missing"

    seen = watch(LATER)
    assert "QueueDoesNotExist" in seen["unread"]["dead_letters"]
    assert Alert.objects.get().closed_at is None
    settings.AWS_SQS_DLQ_URL = there
    dead_letters.messages()
    watch(LATER)
    assert headings() == ["opened"]
    watch(LATER + timedelta(seconds=CALM_SECONDS))

    assert headings() == ["opened", "closed"]


@pytest.mark.usefixtures("queue_down", "operator")
def test_reminders_do_not_pile_up_behind_an_unsent_mail() -> None:
    record("READY", HOUR)

    assert [watch(NOW + timedelta(days=day))["mailed"] for day in range(8)] == [1, *[0] * 7]

    TaskRecord.objects.filter(task=MAIL_TASK).update(status="SENT", sent_at=NOW)
    TaskRecord.objects.create(
        task=MAIL_TASK, workflow="notification_email", payload={"template_name": "emails/other.html"}, enqueued_at=NOW
    )
    assert [watch(NOW + timedelta(days=8, minutes=minutes))["mailed"] for minutes in (0, 5)] == [1, 0]
    assert [mail["context"]["event"] for mail in mails() if "context" in mail] == ["opened", "reminded"]


KINDS = st.sets(st.sampled_from([kind.name for kind in alert_kinds()]))
MOVES = st.lists(st.tuples(st.integers(60, 2 * DAY), KINDS, KINDS), max_size=12)


@given(MOVES)
def test_every_mail_has_news_for_any_sequence_of_findings(moves: list[tuple[int, set[str], set[str]]]) -> None:
    known: dict[str, Any] | None = None
    mailed_at: datetime | None = None
    now, stuck_at, mailed_kinds = NOW, NOW, set[str]()
    example = {"id": "one", "task": "t", "since": NOW.isoformat(), "subject_id": None}
    for seconds, stuck, unseen in moves:
        now += timedelta(seconds=seconds)
        seen = stuck - unseen
        findings = {kind: Finding(1, (example,)) for kind in seen}

        next_findings, event = next_step(known, mailed_at, findings, unseen, now)

        hidden = {kind for kind, was in (known or {}).items() if was["count"]} & unseen
        is_open, is_stuck = known is not None, bool(seen or hidden)
        stuck_at = now if is_stuck else stuck_at
        calm = (now - stuck_at).total_seconds() >= CALM_SECONDS
        due = mailed_at is not None and (now - mailed_at).total_seconds() >= DAY
        expected = {
            (False, False): None,
            (False, True): "opened",
            (True, False): "closed" if calm else None,
            (True, True): "widened" if seen - mailed_kinds else "reminded" if due else None,
        }[is_open, is_stuck]
        assert event == expected
        assert {kind for kind, was in next_findings.items() if was["count"]} == seen | hidden
        if event is not None:
            mailed_at, mailed_kinds = now, mailed_kinds | seen
        known = None if event == "closed" or not (is_open or is_stuck) else next_findings
        if known is None:
            mailed_at, mailed_kinds = None, set()


@pytest.mark.parametrize("on", [1, 2, 11])
def test_a_fluctuating_finding_is_mailed_once_a_day(on: int) -> None:
    """Stuck at every n-th check: a fluctuating queue, or an approximate count of SQS."""
    known: dict[str, Any] | None = None
    mailed: list[tuple[str, datetime]] = []
    finding = {"dead_letters": Finding(1)}
    for check in range(30 * DAY // 300):
        now = NOW + timedelta(seconds=300 * check)
        known, event = next_step(known, mailed[-1][1] if mailed else None, {} if check % on else finding, (), now)
        if event is not None:
            mailed.append((event, now))

    assert [event for event, _ in mailed] == ["opened", *["reminded"] * (len(mailed) - 1)]
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(mailed)]
    assert min(gaps) >= timedelta(days=1)
    assert max(gaps) <= timedelta(days=1, seconds=300 * on)


# ---- Without a product ----


@pytest.fixture
def _no_product() -> Iterator[None]:
    product = registered_hooks()
    register(AlertHooks())
    yield
    register(product)


@pytest.mark.usefixtures("queue", "_no_product")
def test_without_a_product_django_sends_the_mails(operator: User, mailoutbox: list[Any]) -> None:
    stuck = record("READY", HOUR, subject_id=7)
    escalation(make_report(is_incident=True).pk)

    assert watch(NOW)["mailed"] == 1

    [mail] = mailoutbox
    assert mail.subject == "Stuck: 1 unsent task"
    assert mail.to == [operator.email]
    assert stuck.pk in mail.body
    [(html, media_type)] = mail.alternatives
    assert media_type == "text/html"
    assert stuck.pk in html
    assert "manage.py resend_tasks" in html


@pytest.mark.usefixtures("queue", "operator", "_no_product")
def test_a_mail_that_django_cannot_send_keeps_the_alert(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("qu_workflows.alerts.services.send_mail", fail)
    record("READY", HOUR)

    assert watch(NOW)["mailed"] == 1
    assert Alert.objects.get().mailed_at == NOW
    assert "on_commit" in caplog.text


# ---- The mail, and the pages ----


def rendered(mail: dict[str, Any]) -> Any:
    return notification_email(NotificationEmailInput.model_validate(mail))


@pytest.fixture
def everything(queue: Queue, dead_letters: Queue) -> Iterator[list[TaskRecord]]:
    aws.sqs().send_message(QueueUrl=dead_letters.url, MessageBody="{}")
    aws.sqs().send_message(QueueUrl=queue.url, MessageBody="{}")
    yield [
        escalation(make_report(is_incident=True).pk),
        *(record("READY", HOUR + n) for n in range(7)),
        record("SENT", HOUR),
        record("RUNNING", 9 * HOUR),
    ]


@pytest.mark.usefixtures("operator")
def test_the_mail_lists_findings_and_commands(everything: list[TaskRecord]) -> None:
    watch(NOW)

    [mail] = mails()
    email = rendered(mail)

    assert email.subject == (
        "Stuck: 1 unacknowledged incident, 1 dead letter, 7 unsent tasks, "
        "1 task that was sent but has not started, 1 execution that has run for too long"
    )
    assert "The oldest has been stuck since Jan. 15, 2026, 5:59 a.m. EST, 1\xa0hour ago" in email.text
    assert "The task queue: 1 waiting, 0 in flight." in email.text
    assert "and 2 more" in email.text
    assert f"manage.py executions redrive {everything[0].pk}" in email.text
    for text in (
        "manage.py executions list --status READY",
        "manage.py executions list --status SENT",
        "manage.py executions list --status RUNNING",
        "manage.py executions list --workflow incident_escalation --status FAILED TIMED_OUT ABORTED",
        "manage.py dlq list",
        "manage.py dlq redrive --all",
        "manage.py resend_tasks",
        f"/admin/executions/alert/{Alert.objects.get().pk}/change/",
    ):
        assert text in email.text
        assert text in email.html


@pytest.mark.usefixtures("operator", "everything")
def test_the_commands_in_the_mail_are_valid() -> None:
    watch(NOW)
    lines = {line for item in mails()[0]["context"]["stuck"] for line in (*item["look"], *item["fix"])}

    assert len(lines) > 8
    for line in lines:
        manage, command, *arguments = shlex.split(line)
        parser = load_command_class(get_commands()[command], command).create_parser(manage, command)
        assert parser.parse_args(arguments)  # else it raises CommandError


@pytest.mark.usefixtures("operator", "everything")
def test_the_last_mail_has_the_duration_and_the_former_findings() -> None:
    watch(NOW)
    watch(NOW + timedelta(hours=2))
    TaskRecord.objects.update(status="SUCCEEDED")
    aws.sqs().purge_queue(QueueUrl=aws.sqs().get_queue_url(QueueName="tasks-dlq")["QueueUrl"])

    watch(NOW + timedelta(hours=3))

    email = rendered(mails()[-1])
    assert email.subject == "Nothing is stuck any more"
    assert "Nothing has been stuck for 1\xa0hour." in email.text
    assert "No longer stuck: Unacknowledged incidents; Dead letters; Unsent tasks" in email.text


@pytest.mark.usefixtures("operator", "queue")
def test_alerts_are_listed_and_shown_but_never_changed(admin_client: Client) -> None:
    record("READY", HOUR)
    watch(NOW)
    alert = Alert.objects.get()
    page, deletion = (reverse(f"admin:executions_alert_{kind}", args=[alert.pk]) for kind in ("change", "delete"))

    assert b"unsent (1)" in admin_client.get(reverse("admin:executions_alert_changelist")).content
    assert b"unsent (1)" in admin_client.get(page).content
    assert admin_client.get(reverse("admin:executions_alert_add")).status_code == 403
    assert admin_client.get(deletion).status_code == 403
    assert admin_client.post(page, {"findings": "{}"}).status_code == 403
