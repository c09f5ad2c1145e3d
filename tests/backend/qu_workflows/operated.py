"""Step Functions to operate: the project's engine, with functions that fail on demand."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from qu_workflows.aws import clients as aws
from qu_workflows.protocol.execution_names import new_task_id
from qu_workflows.records.models import TaskRecord, TaskStatus
from qu_workflows.tasks.status import apply_status_change
from tests.workflows.engine.server.served import ROLE, Server, machine_of

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Broken(Exception):
    """The error of a function that fails on demand."""


class Operated:
    """A served engine whose functions ``load``, ``work``, ``finish`` count their calls; ``broken`` are the items
    at which ``work`` fails."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.calls: Counter[str] = Counter()
        self.broken: set[int] = set()
        server.functions.update(load=self._load, work=self._work, finish=self._finish)
        self._machines: dict[bool, str] = {}

    @property
    def sfn(self) -> "SFNClient":
        return aws.step_functions()

    def _load(self, event: Any) -> Any:
        self.calls["load"] += 1
        return event

    def _work(self, event: Any) -> Any:
        self.calls[f"work {event['item']}"] += 1
        if event["item"] in self.broken:
            raise Broken(f"item {event['item']}")
        return event

    def _finish(self, event: Any) -> Any:
        self.calls["finish"] += 1
        return event

    def machine(self, *, in_turn: bool = False) -> str:
        """Return a machine: load, work per item (concurrently or in turn), finish."""
        if in_turn not in self._machines:
            work = {"StartAt": "Work", "States": {"Work": _task("work") | {"End": True}}}
            steps = {
                "Load": _task("load") | {"ResultPath": None},
                "Process": {
                    "Type": "Map",
                    "ItemsPath": "$.items",
                    "ItemSelector": {"item.$": "$$.Map.Item.Value"},
                    "ItemProcessor": work,
                    "MaxConcurrency": 1 if in_turn else 0,
                },
                "Finish": _task("finish"),
            }
            name = f"m-{new_task_id()}"
            made = self.sfn.create_state_machine(name=name, definition=machine_of(**steps), roleArn=ROLE)
            self._machines[in_turn] = made["stateMachineArn"]
        return self._machines[in_turn]

    def run(self, *broken: int, machine: str = "", **record: Any) -> TaskRecord:
        """Run an execution over three items to its end, some of them broken; its record."""
        self.broken = set(broken)
        started = self.start(machine or self.machine(), **record)
        return self.followed(started)

    def start(self, machine: str, **record: Any) -> TaskRecord:
        """Start an execution; its record, RUNNING."""
        task_id = new_task_id()
        arn = self.sfn.start_execution(stateMachineArn=machine, name=task_id, input=json.dumps({"items": [1, 2, 3]}))
        now = timezone.now()
        values = {
            "task": "process_guard_report",
            "workflow": "guard_report",
            "payload": {"report_id": 7},
            "subject_id": 7,
            "status": TaskStatus.RUNNING,
            "execution_arn": arn["executionArn"],
            "enqueued_at": now,
            "started_at": now,
        }
        return TaskRecord.objects.create(pk=task_id, **values | record)

    def followed(self, record: TaskRecord) -> TaskRecord:
        """Wait for an execution's end, and apply its status event."""
        self.server.runner.closed(record.execution_arn, 10)
        self.publish(record)
        record.refresh_from_db()
        return record

    def publish(self, record: TaskRecord) -> None:
        """Apply the status change of an execution as it stands now."""
        found = self.sfn.describe_execution(executionArn=record.execution_arn)
        apply_status_change(
            {
                "name": record.pk,
                "status": found["status"],
                "executionArn": found["executionArn"],
                "stateMachineArn": f"arn:aws:states:us-east-2:123456789012:stateMachine:{record.workflow}",
                "startDate": round(found["startDate"].timestamp() * 1000),
                "stopDate": round(found["stopDate"].timestamp() * 1000) if "stopDate" in found else None,
                "redriveCount": found["redriveCount"],
                "error": found.get("error"),
                "cause": found.get("cause"),
            }
        )


def _task(function: str) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:123456789012:function:{function}"}
