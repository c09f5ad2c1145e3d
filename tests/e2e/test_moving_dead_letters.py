"""Ten thousand dead letters are redriven despite a kill: none lost, each started once.

The queues, the dispatcher and Step Functions are copies, so that the other tests keep theirs to themselves: the
deployed dispatcher's code between two queues of its own and an engine whose state machines end at once.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from deploy import ROOT
from deploy.local.aws.deployment import ARTIFACTS_BUCKET
from deploy.local.aws.stand_in import ACCOUNT, CREDENTIALS, REGION, endpoint_of, wait_until_it_answers
from deploy.local.processes import free_port
from deploy.local.stack import MANAGE, PREFIX, STAGE
from tests.e2e.conftest import WholePath, eventually
from workflows.project import PROJECT

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

MESSAGES = 10_000
KILLED_AFTER = 3_000
NAME = "moving-dead-letters"
PASS = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}})


@dataclass(frozen=True)
class Pair:
    """A task queue, its dead-letter queue, and the engine that its dispatcher starts executions on."""

    path: WholePath
    queue_url: str
    dlq_url: str
    engine: "SFNClient"
    machine_arns: dict[str, str]

    def fill(self) -> set[str]:
        """Send the messages, half of them without an id; return their execution names."""
        with ThreadPoolExecutor(4) as pool:
            return set().union(*pool.map(self._put, batched(range(MESSAGES), 10)))

    def _put(self, numbers: tuple[int, ...]) -> set[str]:
        bodies = {str(number): json.dumps(body(number)) for number in numbers}
        answer = self.path.stack.aws.sqs.send_message_batch(
            QueueUrl=self.dlq_url,
            Entries=[{"Id": number, "MessageBody": text} for number, text in bodies.items()],
        )
        return {json.loads(bodies[sent["Id"]]).get("id", sent["MessageId"]) for sent in answer["Successful"]}

    def redrive(self, log: Path) -> subprocess.Popen[bytes]:
        """Begin to move everything, as an operator would."""
        environment = {
            **self.path.stack.environment,
            "PATH": os.defpath,
            "AWS_SQS_QUEUE_URL": self.queue_url,
            "AWS_SQS_DLQ_URL": self.dlq_url,
        }
        command = [sys.executable, MANAGE, "dlq", "redrive", "--all", "--yes", "--per-second", "500"]
        with log.open("wb") as file:
            return subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def count(self, url: str) -> int:
        """Return the number of messages in a queue, those in flight included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        given = self.path.stack.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return sum(int(number) for number in given.values())

    def started(self) -> list[str]:
        """Return the name of every execution."""
        paginator = self.engine.get_paginator("list_executions")
        return [
            execution["name"]
            for arn in self.machine_arns.values()
            for page in paginator.paginate(stateMachineArn=arn, PaginationConfig={"PageSize": 1000})
            for execution in page["executions"]
        ]


def body(number: int) -> dict[str, Any]:
    """Return a message of one of two tasks, half of them without an id."""
    task, payload = (
        ("custom_processing", {"data": str(number)}),
        ("process_guard_report", {"report_id": number + 1}),
    )[number // 2 % 2]
    named = {"id": f"dead-letter-{number}"} if number % 2 else {}
    return {**named, "task": task, "payload": payload}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator["SFNClient"]:
    """An engine of its own, as durable as the stack's."""
    endpoint = endpoint_of(free_port())
    command = [sys.executable, "-m", "asl_engine", "serve", "--port", endpoint.rpartition(":")[2]]
    command += ["--db", str(tmp_path / "engine.sqlite3"), "--region", REGION, "--account", ACCOUNT]
    with (tmp_path / "engine.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_it_answers(endpoint, lambda: None)
        yield boto3.client(
            "stepfunctions",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def pair(path: WholePath, engine: "SFNClient") -> Iterator[Pair]:
    """The copies, gone again afterwards."""
    aws = path.stack.aws
    machines = {
        workflow: engine.create_state_machine(
            name=f"{NAME}-{workflow}", definition=PASS, roleArn=f"arn:aws:iam::{ACCOUNT}:role/none"
        )["stateMachineArn"]
        for workflow in PROJECT.workflows
    }
    dlq_url = aws.sqs.create_queue(QueueName=f"{NAME}-dlq")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn_of(path, dlq_url), "maxReceiveCount": 3})
    attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "120"}
    queue_url = aws.sqs.create_queue(QueueName=NAME, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
    copy_dispatcher(path, engine.meta.endpoint_url, machines)
    mapping = aws.functions.create_event_source_mapping(
        EventSourceArn=arn_of(path, queue_url),
        FunctionName=NAME,
        BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 2},
    )["UUID"]
    try:
        yield Pair(path, queue_url, dlq_url, engine, machines)
    finally:
        aws.functions.delete_event_source_mapping(UUID=mapping)
        aws.functions.delete_function(FunctionName=NAME)
        for url in (queue_url, dlq_url):
            aws.sqs.delete_queue(QueueUrl=url)


def arn_of(path: WholePath, url: str) -> str:
    return path.stack.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def copy_dispatcher(path: WholePath, engine_url: str, machines: dict[str, str]) -> None:
    """Make a function of the deployed dispatcher's code that starts its executions on another engine."""
    aws = path.stack.aws
    deployed = aws.functions.get_function_configuration(FunctionName=f"{PREFIX}-{STAGE}-dispatch_tasks")
    [key] = [
        item["Key"]
        for item in aws.s3.list_objects_v2(Bucket=ARTIFACTS_BUCKET)["Contents"]
        if "dispatch_tasks" in item["Key"]
    ]
    variables = deployed["Environment"]["Variables"] | {
        "STATE_MACHINE_ARNS": json.dumps(machines),
        "AWS_ENDPOINT_URL_SFN": engine_url,
    }
    aws.functions.create_function(
        FunctionName=NAME,
        Runtime=deployed["Runtime"],
        Role=deployed["Role"],
        Handler=deployed["Handler"],
        Timeout=deployed["Timeout"],
        MemorySize=deployed["MemorySize"],
        Code={"S3Bucket": ARTIFACTS_BUCKET, "S3Key": key},
        Environment={"Variables": variables},
    )


def test_ten_thousand_dead_letters_are_moved_back_though_the_mover_is_killed(pair: Pair, tmp_path: Path) -> None:
    begun = time.monotonic()
    expected = pair.fill()
    assert len(expected) == pair.count(pair.dlq_url) == MESSAGES

    first = pair.redrive(tmp_path / "first.log")
    eventually(lambda: pair.count(pair.dlq_url) <= MESSAGES - KILLED_AFTER or first.poll(), "the mover to be busy")
    assert first.poll() is None, (tmp_path / "first.log").read_text()
    first.send_signal(signal.SIGKILL)
    first.wait()
    left = pair.count(pair.dlq_url)
    assert 0 < left < MESSAGES

    second = pair.redrive(tmp_path / "second.log")
    assert second.wait(180) == 0, (tmp_path / "second.log").read_text()
    eventually(lambda: pair.count(pair.queue_url) == 0, "the dispatcher to be done", 180)

    started = pair.started()
    assert pair.count(pair.dlq_url) == 0
    assert len(started) == MESSAGES
    assert set(started) == expected
    print(f"{MESSAGES} moved in {time.monotonic() - begun:.0f} s, {left} after the kill")  # noqa: T201  shown by -s
    # At most the killed mover's last batch is audited twice, and one entry never ended.
    outcomes = pair.path.rows(
        "SELECT outcome, count(*) FROM executions_auditentry WHERE target = %s GROUP BY outcome", f"{NAME}-dlq"
    )
    moved = pair.path.rows(
        "SELECT sum((SELECT count(*) FROM jsonb_object_keys(details->'copies'))) FROM executions_auditentry"
        " WHERE target = %s AND outcome = 'done'",
        f"{NAME}-dlq",
    )
    assert dict(outcomes).get("started", 0) <= 1
    assert MESSAGES - 10 <= moved[0][0] <= MESSAGES
