"""The task message: what fits is one execution, what does not says why."""

import json
import random
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qu_workflows.protocol.catalog import CatalogEntry, Parameter
from qu_workflows.protocol.errors import MessageRejected
from qu_workflows.protocol.execution_names import scheduled_run_of
from qu_workflows.protocol.message import (
    MAX_EXECUTION_INPUT_BYTES,
    SCHEDULED_TIME,
    STATE_RESERVE_BYTES,
    ExecutionStart,
    NoTask,
    NotJson,
    PayloadDoesNotFit,
    PayloadTooLarge,
    ScheduledTimeMissing,
    UnknownSchedule,
    UnknownTask,
    canonical_json,
    fit_payload,
    payload_key_of,
    read_message,
    task_id_of,
    write_message,
    write_scheduled_message,
)
from qu_workflows.protocol.schedule import Schedule
from workflows.project import PROJECT
from workflows.schedules import SCHEDULES

MESSAGE_ID = "6f7a3c1e-0000-4000-8000-000000000001"
TASK_ID = "01936b2f-5a00-7000-8000-000000000001"
TIMESTAMP = "2026-11-24T08:00:00+00:00"

RENAME = CatalogEntry(
    "rename",
    "run_task",
    parameters={"old": Parameter("string", required=True), "copy": Parameter("any", required=False)},
)
TASKS = {**PROJECT.catalog, "rename": RENAME}

# What JSON and every service on the way can hold: no lone surrogates, no numbers beyond a float's exactness.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
fitting_payloads = st.one_of(
    st.tuples(st.just("process_guard_report"), st.fixed_dictionaries({"report_id": st.integers(1, 2**63 - 1)})),
    st.tuples(
        st.just("send_notification_email"),
        st.fixed_dictionaries(
            {
                "user_id": st.integers(1, 2**63 - 1),
                "subject": st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200),
                "template_name": st.just("emails/welcome.html"),
            },
            optional={"context": st.dictionaries(texts, values, max_size=4)},
        ),
    ),
    st.tuples(st.just("rename"), st.fixed_dictionaries({"old": texts}, optional={"copy": values})),
)


def read(message: Any) -> ExecutionStart:
    return read_message(json.dumps(message), MESSAGE_ID, TASKS)


def shuffled(value: Any, order: random.Random) -> Any:
    """Return an equal value whose objects hold their keys in another order."""
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def outcome_of(body: str) -> ExecutionStart | MessageRejected:
    try:
        return read_message(body, MESSAGE_ID, TASKS)
    except MessageRejected as rejected:
        return rejected


@given(st.text() | values.map(json.dumps) | st.text(alphabet='{}[]",:0123456789eE+-.\\ud', max_size=60))
def test_any_text_is_an_execution_or_a_refusal_that_says_why(body: str) -> None:
    outcome = outcome_of(body)

    assert isinstance(outcome, ExecutionStart) or (outcome.problem and outcome.remedy and str(outcome))


@given(
    st.fixed_dictionaries(
        {"task": st.sampled_from([*TASKS, "nothing_of_that_name"]) | values},
        optional={
            "id": values,
            "payload": values,
            "payload_key": values,
            "schedule": values | st.just("send_outbox"),
            "scheduled_at": values | st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()),
        },
    )
)
def test_any_message_is_an_execution_or_a_refusal_that_says_why(message: dict[str, Any]) -> None:
    outcome = outcome_of(json.dumps(message))

    assert isinstance(outcome, ExecutionStart) or str(outcome)


@given(fitting_payloads)
def test_what_is_written_is_read_as_the_same_task(task_and_payload: tuple[str, dict[str, Any]]) -> None:
    task, payload = task_and_payload

    start = read_message(write_message(TASK_ID, task, TIMESTAMP, payload), MESSAGE_ID, TASKS)

    assert (start.name, start.task, start.workflow) == (TASK_ID, task, TASKS[task].workflow)
    carried = json.loads(start.input_json)
    assert (carried if start.workflow != "run_task" else carried["payload"]) == payload


@given(fitting_payloads, st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nothing(task_and_payload: tuple[str, dict[str, Any]], order: random.Random) -> None:
    task, payload = task_and_payload
    message = {"id": TASK_ID, "task": task, "payload": payload, "source": "django-backend"}

    assert read(message) == read(shuffled(message, order))


@given(fitting_payloads)
def test_fitting_a_payload_twice_changes_nothing(task_and_payload: tuple[str, dict[str, Any]]) -> None:
    entry, payload = TASKS[task_and_payload[0]], task_and_payload[1]

    once = fit_payload(entry, payload)

    assert canonical_json(fit_payload(entry, once)) == canonical_json(once)


@given(values)
def test_a_canonical_text_holds_only_what_sqs_keeps_and_parses_back(value: Any) -> None:
    text = canonical_json(value)

    assert json.loads(text) == value
    assert not [character for character in text if character < " " or character in "\ufffe\uffff"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"\udfff": 1}])
def test_what_no_service_takes_has_no_canonical_text(value: Any) -> None:
    with pytest.raises(ValueError, match=r"range|surrogates"):
        canonical_json(value)


def test_the_message_id_stands_for_an_id_that_is_missing() -> None:
    assert read({"task": "process_guard_report", "payload": {"report_id": 1}}).name == MESSAGE_ID


def test_arguments_come_by_name_in_the_decorated_form_too() -> None:
    decorated = {"function_name": "rename", "module": "os.system", "args": ["a"], "kwargs": {"copy": 2}}

    start = read({"task": "rename", "payload": decorated})

    assert json.loads(start.input_json) == {"task": "rename", "payload": {"old": "a", "copy": 2}}


def test_a_task_may_have_a_parameter_called_function_name() -> None:
    entry = CatalogEntry("call", "run_task", parameters={"function_name": Parameter("string", required=True)})

    assert fit_payload(entry, {"function_name": "a"}) == {"function_name": "a"}


@pytest.mark.parametrize("name", ["copy", "json", "schema", "model_config", "_id", "class", "año"])
def test_a_task_may_name_its_parameters_as_it_likes(name: str) -> None:
    entry = CatalogEntry("call", "run_task", parameters={name: Parameter("integer", required=True)})

    assert fit_payload(entry, {name: 1}) == {name: 1}
    with pytest.raises(PayloadDoesNotFit, match=name):
        fit_payload(entry, {})


def test_a_payload_in_s3_travels_as_its_key() -> None:
    body = write_message(TASK_ID, "rename", TIMESTAMP, None, payload_key_of(TASK_ID))

    start = read_message(body, MESSAGE_ID, TASKS)

    assert json.loads(start.input_json) == {"task": "rename", "payload_key": f"payloads/{TASK_ID}.json"}


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("not json", NotJson, "is not JSON"),
        ("[1]", NotJson, "an array"),
        ("{} {}", NotJson, "is not JSON"),
        ('{"task": NaN}', NotJson, "not a JSON number"),
        ('{"task": 1e999}', NotJson, "is not JSON"),
        ('{"task": "\\ud800"}', NotJson, "is not JSON"),
        ("[" * 100_000, NotJson, "is not JSON"),
        ("{}", NoTask, "names no task"),
        ('{"task": 1}', NoTask, "names no task"),
        ('{"task": "proces_guard_report"}', UnknownTask, "Did you mean process_guard_report"),
        ('{"task": "os.system"}', UnknownTask, "not in the catalog"),
        ('{"task": "rename", "id": "a b"}', NoTask, "cannot name an execution"),
        ('{"task": "rename", "id": 0}', NoTask, "cannot name an execution"),
        ('{"task": "rename", "id": "' + "a" * 81 + '"}', NoTask, "cannot name an execution"),
        ('{"task": "rename", "payload": 7}', PayloadDoesNotFit, "is a number, not an object"),
        ('{"task": "rename", "payload": {"old": 1}}', PayloadDoesNotFit, "old: is a number, not a string"),
        ('{"task": "rename", "payload": {"new": "b"}}', PayloadDoesNotFit, "rename.old, copy .optional"),
        (json.dumps({"task": "rename", "payload": {str(n): n for n in range(99)}}), PayloadDoesNotFit, "95 more"),
        ('{"task": "process_guard_report", "payload": {"report_id": "1"}}', PayloadDoesNotFit, "not an integer"),
        ('{"task": "process_guard_report", "payload": {"report_id": true}}', PayloadDoesNotFit, "not an integer"),
        ('{"task": "process_guard_report", "payload": {"report_id": 0}}', PayloadDoesNotFit, "less than 1"),
        ('{"task": "process_guard_report", "payload_key": "payloads/a.json", "id": "a"}', PayloadDoesNotFit, "inline"),
        ('{"task": "rename", "payload_key": "payloads/b.json", "id": "a"}', PayloadDoesNotFit, "own key"),
        ('{"task": "rename", "payload_key": "media/secret.jpg", "id": "a"}', PayloadDoesNotFit, "own key"),
        ('{"task": "rename", "payload_key": "payloads/a.json", "payload": {}, "id": "a"}', PayloadDoesNotFit, "one of"),
        (
            '{"task": "rename", "payload": {"function_name": "f", "module": "m", "args": 1}}',
            PayloadDoesNotFit,
            "not an array",
        ),
        (
            '{"task": "rename", "payload": {"function_name": "f", "module": "m", "args": [1, 2, 3]}}',
            PayloadDoesNotFit,
            "too many or twice",
        ),
        (
            '{"task": "rename", "payload": {"function_name": "f", "module": "m", "args": ["a"], "kwargs": {"old": 1}}}',
            PayloadDoesNotFit,
            "too many or twice",
        ),
    ],
)
def test_each_kind_of_bad_message_is_refused_by_name(body: str, error: type[MessageRejected], words: str) -> None:
    with pytest.raises(error, match=words):
        read_message(body, MESSAGE_ID, TASKS)


def test_a_template_outside_emails_does_not_fit() -> None:
    payload = {"user_id": 1, "subject": "Hello", "template_name": "emails/../admin/login.html"}

    with pytest.raises(PayloadDoesNotFit, match="template_name"):
        fit_payload(TASKS["send_notification_email"], payload)


def test_a_payload_fills_an_execution_up_to_its_limit_and_no_further() -> None:
    most = MAX_EXECUTION_INPUT_BYTES - STATE_RESERVE_BYTES
    envelope = len(read({"task": "rename", "payload": {"old": ""}}).input_json)

    start = read({"task": "rename", "payload": {"old": "a" * (most - envelope)}})
    assert len(start.input_json.encode()) == most

    with pytest.raises(PayloadTooLarge, match="payload_key"):
        read({"task": "rename", "payload": {"old": "é" * ((most - envelope) // 2 + 1)}})


@pytest.mark.parametrize(
    ("body", "task_id"),
    [('{"id": "a-1"}', "a-1"), ('{"id": "a b"}', None), ('{"id": 3}', None), ("{}", None), ("not json", None)],
)
def test_a_log_line_gets_the_task_id_where_the_body_has_one(body: str, task_id: str | None) -> None:
    assert task_id_of(body) == task_id


def scheduled(**changes: Any) -> dict[str, Any]:
    """A schedule's message with its time; None removes a key."""
    message = {
        "schedule": "send_outbox",
        "scheduled_at": "2026-11-24T12:00:00Z",
        "task": "send_outbox",
        "payload": {},
        "source": "scheduler",
    } | changes
    return {key: value for key, value in message.items() if value is not None}


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_a_schedule_s_message_is_dispatched_once_its_time_is_filled_in(schedule: Schedule) -> None:
    body = write_scheduled_message(schedule)

    with pytest.raises(ScheduledTimeMissing, match=f"'{SCHEDULED_TIME}' is not a time"):
        read_message(body, MESSAGE_ID)
    start = read_message(body.replace(SCHEDULED_TIME, "2026-11-24T12:00:00Z"), MESSAGE_ID)

    assert (start.name, start.task) == (f"{schedule.name}-20261124T120000Z", schedule.task)


def test_a_schedule_that_fires_twice_asks_for_the_same_execution() -> None:
    twice = [read_message(json.dumps(scheduled()), message_id, TASKS) for message_id in ("first", "second")]

    assert twice[0] == twice[1]


@pytest.mark.parametrize(
    "time",
    ["2026-11-24T12:00:00Z", "2026-11-24T12:00:00.000Z", "2026-11-24T12:00:00+00:00", "2026-11-24T07:00:00-05:00"],
)
def test_a_moment_names_one_execution_however_it_is_written(time: str) -> None:
    assert read(scheduled(scheduled_at=time)).name == "send_outbox-20261124T120000Z"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"schedule": "send_outboxes"}, UnknownSchedule, "'send_outboxes' is not one of daily_report_digest"),
        ({"schedule": "a b"}, UnknownSchedule, "Declare it"),
        ({"schedule": 7}, UnknownSchedule, "a number is not one of"),
        ({"schedule": ""}, UnknownSchedule, "is not one of"),
        ({"id": "a-1"}, NoTask, "is given together with a schedule"),
        ({"scheduled_at": None}, ScheduledTimeMissing, "null is not a time"),
        ({"scheduled_at": 7}, ScheduledTimeMissing, "a number is not a time"),
        ({"scheduled_at": "today"}, ScheduledTimeMissing, "'today' is not a time"),
        ({"scheduled_at": "2026-11-24T12:00:00"}, ScheduledTimeMissing, "with a time zone"),
        ({"scheduled_at": "2026-13-24T12:00:00Z"}, ScheduledTimeMissing, "is not a time"),
        ({"scheduled_at": "2026-11-24"}, ScheduledTimeMissing, "is not a time"),
        ({"scheduled_at": "0001-01-01T00:00:00+14:00"}, ScheduledTimeMissing, "is not a time"),
        ({"task": "send_inbox"}, UnknownTask, "Did you mean send_outbox"),
        ({"payload": {"a": 1}}, PayloadDoesNotFit, "a: is not a parameter"),
    ],
)
def test_an_invalid_schedules_message_is_refused_by_name(
    changes: dict[str, Any], error: type[MessageRejected], words: str
) -> None:
    with pytest.raises(error, match=words):
        read(scheduled(**changes))


def test_a_log_line_names_the_run_of_a_schedule() -> None:
    assert task_id_of(json.dumps(scheduled(task="gone"))) == "send_outbox-20261124T120000Z"
    assert task_id_of(json.dumps(scheduled(scheduled_at="today"))) is None


@given(st.integers(86_400, 7_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_an_executions_name_contains_its_scheduled_time(seconds: int, offset_minutes: int) -> None:
    time = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=offset_minutes)))

    run = scheduled_run_of(read(scheduled(scheduled_at=time.isoformat())).name)

    assert run is not None
    assert (run.schedule, run.scheduled_at) == ("send_outbox", time)
