"""Tasks enqueued per second, compared with bare SQS calls.

Ours checks each task against its contract, records it in PostgreSQL, sends it and records that it was sent;
the clock stops when all of that is done. Target: at least 0.7 of the bare rate.

One by one, each task is committed alone, to the disk, and its message leaves from the sender's thread. The
rows without a target show the other two ways: in one transaction, as in a request, the messages leave
together when it commits; with TASK_SEND_IN_BACKGROUND off each call waits for its own message.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.report import Row, median_pair, report, sized

MANY, ONE_BY_ONE = sized(1000, 20), sized(150, 5)
ROUNDS = sized(15)
TARGET = 0.7
REGION = "us-east-2"
QUEUE = "bench"

type Work = Callable[[], None]


@contextmanager
def stack() -> Iterator[None]:
    """Run the queue and the database, and let the environment name them."""
    from deploy.local.postgres import start_postgres

    with tempfile.TemporaryDirectory(prefix="qu-bench-") as folder:
        postgres = start_postgres(Path(folder) / "postgres")
        endpoint, process = _ministack(Path(folder) / "ministack.log")
        os.environ.update(
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",
            AWS_ENDPOINT_URL=endpoint,
            AWS_SQS_REGION=REGION,
            AWS_SQS_QUEUE_URL=f"{endpoint}/000000000000/{QUEUE}",
            DATABASE_URL=postgres.url,
            DJANGO_SETTINGS_MODULE="config.settings",
            TASK_LOG_LEVEL="WARNING",
            USE_ASYNC_TASKS="True",
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)
            postgres.stop()


def _ministack(log: Path) -> tuple[str, "subprocess.Popen[bytes]"]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)},
            stdout=out,
            stderr=out,
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return f"http://127.0.0.1:{port}", process
        time.sleep(0.1)
    process.terminate()
    raise TimeoutError(f"ministack did not listen: {log.read_text()[-2000:]}")


class Bench:
    """The ways of sending that are compared, each with the same messages."""

    def __init__(self) -> None:
        import boto3

        self.url = os.environ["AWS_SQS_QUEUE_URL"]
        self.bare = boto3.client("sqs", region_name=REGION)  # as who calls SQS without more ado has it
        self.bare.create_queue(QueueName=QUEUE)
        self.bodies = _bodies(MANY)

    def rate(self, count: int, work: Work) -> Callable[[], float]:
        """Return a measure of tasks per second, with queue and table empty."""

        def run() -> float:
            self._empty()
            started = time.perf_counter()
            work()
            seconds = time.perf_counter() - started
            self._check(count)
            return count / seconds

        return run

    def _empty(self) -> None:
        from django.db import connection

        from qu_workflows.records.models import TaskRecord

        self.bare.purge_queue(QueueUrl=self.url)
        with connection.cursor() as cursor:
            # With whatever refers to a record, today or later.
            cursor.execute(f"TRUNCATE {TaskRecord._meta.db_table} CASCADE")

    def _check(self, count: int) -> None:
        """Raise RuntimeError unless all messages are in the queue and recorded as sent."""
        from qu_workflows.records.models import TaskRecord

        of_queue = self.bare.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        messages = int(of_queue["ApproximateNumberOfMessages"])
        unsent = TaskRecord.objects.exclude(status="SENT").count()
        if messages != count or unsent:
            raise RuntimeError(f"{messages} messages of {count}, {unsent} records not sent: the rates mean nothing.")

    def raw_batches(self) -> None:
        """Call SendMessageBatch with ten messages at a time."""
        for first in range(0, MANY, 10):
            chunk = self.bodies[first : first + 10]
            entries = [{"Id": str(position), "MessageBody": body} for position, body in enumerate(chunk)]
            self.bare.send_message_batch(QueueUrl=self.url, Entries=entries)  # type: ignore[arg-type]  # plain dicts

    def raw_one_by_one(self) -> None:
        """Call SendMessage with each message."""
        for body in self.bodies[:ONE_BY_ONE]:
            self.bare.send_message(QueueUrl=self.url, MessageBody=body)

    def many(self) -> None:
        """Enqueue all tasks with one call."""
        from common.tasks import custom_processing
        from qu_workflows.tasks.backends import StepFunctionsBackend

        backend = StepFunctionsBackend("default", {})
        backend.enqueue_many(custom_processing, [((), {"data": _data(n)}) for n in range(MANY)])

    def one_by_one(self) -> None:
        """Enqueue each task separately; wait until the last message is recorded as sent."""
        from common.tasks import custom_processing
        from qu_workflows.tasks.outbox import sender

        for n in range(ONE_BY_ONE):
            custom_processing.enqueue(data=_data(n))
        sender.wait()

    def one_by_one_in_a_transaction(self) -> None:
        """Enqueue each task separately in one transaction, as a request does."""
        from django.db import transaction

        with transaction.atomic():
            self.one_by_one()

    def one_by_one_waiting(self) -> None:
        """Enqueue each task separately and wait for each message."""
        from django.test import override_settings

        with override_settings(TASK_SEND_IN_BACKGROUND=False):
            self.one_by_one()


def measure() -> list[Row]:
    """Measure against the queue and the database that the environment names."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    bench = Bench()
    raw = bench.raw_one_by_one
    return [
        _row(f"enqueue_many, {MANY} tasks", bench, MANY, bench.many, bench.raw_batches, TARGET),
        _row("enqueue one by one, each committed alone", bench, ONE_BY_ONE, bench.one_by_one, raw, TARGET),
        _row("enqueue one by one, one transaction", bench, ONE_BY_ONE, bench.one_by_one_in_a_transaction, raw),
        _row("enqueue one by one, each waiting for SQS", bench, ONE_BY_ONE, bench.one_by_one_waiting, raw),
    ]


def _row(name: str, bench: Bench, count: int, ours: Work, reference: Work, target: float | None = None) -> Row:
    rates = median_pair(ROUNDS, bench.rate(count, ours), bench.rate(count, reference))
    return Row(name, rates[0], "tasks/s", rates[1], target, more_is_better=True)


def _data(number: int) -> str:
    return f"example {number} " + "x" * 100


def _bodies(count: int) -> list[str]:
    """Return the messages that ours sends, written before the clock starts."""
    from django.utils import timezone

    from qu_workflows.protocol.execution_names import new_task_id
    from qu_workflows.protocol.message import write_message

    now = timezone.now().isoformat()
    return [write_message(new_task_id(), "custom_processing", now, {"data": _data(n)}) for n in range(count)]


def main() -> int:
    """Measure, report, and return the exit code."""
    with stack():
        return report("enqueue", measure())


if __name__ == "__main__":
    sys.exit(main())
