from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from moto.sqs.models import sqs_backends

from qu_workflows.aws import clients as aws
from qu_workflows.protocol.message import read_message
from tests.backend.qu_workflows.dead_letter_queues import (
    DeadLetterQueue,
    good,
    move,
    order,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process is gone: no handler of Exception sees it."""


class KilledClient:
    """A client that fails from its nth call on, before or after its effect."""

    def __init__(self, client: Any, calls: int, *, takes_effect: bool) -> None:
        self._client, self._calls_left, self._takes_effect = client, calls, takes_effect

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self._calls_left -= 1
            if self._calls_left > 0:
                return getattr(self._client, name)(**request)
            if self._calls_left == 0 and self._takes_effect:
                getattr(self._client, name)(**request)
            raise Killed

        return call


BODIES = st.sampled_from(["with id", "without id", "null id"])


@pytest.mark.usefixtures("dlq")
@given(st.lists(BODIES, min_size=1, max_size=25), st.integers(1, 16), st.booleans())
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whenever_the_mover_is_killed_nothing_is_lost_and_each_starts_once(
    kinds: list[str], calls: int, takes_effect: bool
) -> None:
    dlq = fresh_queues()
    bodies = [body_of(kind, number) for number, kind in enumerate(kinds)]
    expected = {
        message_id: read_message(body, message_id) for message_id, body in zip(dlq.put(*bodies), bodies, strict=True)
    }
    with pytest.MonkeyPatch.context() as patch:
        client = KilledClient(aws.sqs(), calls, takes_effect=takes_effect)
        patch.setattr(aws, "sqs", lambda: client)
        with suppress(Killed):
            move(order())
    let_go(dlq)

    copies = [read_message(copy["Body"], copy["MessageId"]) for copy in dlq.moved()]
    assert {expected[message_id].name for message_id in dlq.ids()} | {copy.name for copy in copies} == {
        start.name for start in expected.values()
    }
    move(order())

    starts = {read_message(copy["Body"], copy["MessageId"]) for copy in dlq.moved()}
    assert dlq.ids() == set()
    assert starts == set(expected.values())


def body_of(kind: str, number: int) -> str:
    match kind:
        case "with id":
            return good(f"task-{number}")
        case "null id":
            return good(id=None)
    return good()


def fresh_queues() -> DeadLetterQueue:
    dlq = DeadLetterQueue(settings.AWS_SQS_DLQ_URL, settings.AWS_SQS_QUEUE_URL)
    for url in (dlq.url, dlq.queue_url):
        in_moto(url)._messages = []  # SQS purges a queue once a minute
    return dlq


def let_go(dlq: DeadLetterQueue) -> None:
    """Let the visibility timeout pass of what a killed process held."""
    for message in in_moto(dlq.url)._messages:
        message.change_visibility(0)


def in_moto(url: str) -> Any:
    return sqs_backends["123456789012"]["us-east-2"].get_queue(url.rpartition("/")[2])
