"""AWS's rules of redriving Map Runs, one by one, through boto3.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
"""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from asl_engine.jsontext import Json
from tests.workflows.engine.redrive_service import Service, items, work
from tests.workflows.engine.server.served import ACCOUNT, machine_of, refusal

DAY_MS = 86_400_000


def distributed(kind: str = "STANDARD", **more: Any) -> str:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": "First",
        "States": {"First": {"Type": "Pass", "Next": "Work"}, "Work": work(End=True)},
    }
    return machine_of(Each={"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, **more})


def map_run_of(service: Service, arn: str) -> dict[str, Any]:
    (listed,) = service.sfn.list_map_runs(executionArn=arn)["mapRuns"]
    return dict(service.sfn.describe_map_run(mapRunArn=listed["mapRunArn"]))


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_map_run_is_redriven_for_its_failed_children_only(service: Service, kind: str) -> None:
    service.broken.add("b")
    arn = service.failed(distributed(kind, ToleratedFailureCount=0, MaxConcurrency=1), input=items("a", "b", "c"))
    before = map_run_of(service, arn)
    assert (before["status"], before["redriveCount"]) == ("FAILED", 0)
    service.broken.clear()

    found = service.redriven(arn)

    after = map_run_of(service, arn)
    assert json.loads(found["output"]) == ["a", "b", "c"]
    assert service.calls == ["b", "c"]
    assert (after["mapRunArn"], after["status"], after["redriveCount"]) == (before["mapRunArn"], "SUCCEEDED", 1)
    # The Map Run is redriven when the execution comes to it: at once, or some milliseconds later.
    assert found["redriveDate"] <= after["redriveDate"] <= found["stopDate"]
    (event,) = [event for event in service.history(arn) if event["type"] == "MapRunRedriven"]
    assert event["mapRunRedrivenEventDetails"] == {"mapRunArn": before["mapRunArn"], "redriveCount": 1}


def test_standard_children_continue_and_are_listed_as_redriven(service: Service) -> None:
    service.broken.add("b")
    arn = service.failed(distributed(ToleratedFailureCount=0, MaxConcurrency=1), input=items("a", "b"))
    map_run = map_run_of(service, arn)["mapRunArn"]
    service.broken.clear()

    service.redriven(arn)

    def listed(redrive: str) -> list[tuple[str, int]]:
        found = service.sfn.list_executions(mapRunArn=map_run, redriveFilter=redrive)["executions"]  # type: ignore[arg-type]  # boto3's types want a Literal
        return [(one["executionArn"], one["redriveCount"]) for one in found]

    ((child, redrives),), ((_, none),) = listed("REDRIVEN"), listed("NOT_REDRIVEN")
    assert (redrives, none) == (1, 0)
    assert "PassStateEntered" not in service.types_after_redrive(child)


def test_a_failed_child_is_redriven_by_its_map_run_only(service: Service) -> None:
    service.broken.add("a")
    arn = service.failed(distributed(), input=items("a"))
    (child,) = service.sfn.list_executions(mapRunArn=map_run_of(service, arn)["mapRunArn"])["executions"]

    described = service.sfn.describe_execution(executionArn=child["executionArn"])

    assert described["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert refusal(service.sfn.redrive_execution, executionArn=child["executionArn"])[0] == "ExecutionNotRedrivable"


def test_a_child_that_cannot_be_redriven_fails_the_map_run_again(service: Service) -> None:
    release = threading.Event()
    service.server.functions["held"] = lambda event: event if release.wait(20) else None
    held = {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:held"}
    program = {"StartAt": "Which", "States": {
        "Which": {"Type": "Choice", "Choices": [{"Variable": "$.item", "StringEquals": "held", "Next": "Held"}],
                  "Default": "Work"},
        "Held": {**held, "Next": "Work"},
        "Work": work(End=True),
    }}  # fmt: skip
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **program}
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "ToleratedFailureCount": 1}
    service.broken |= {"old", "held"}
    arn = service.start(service.create(machine_of(Each=state)), input=items("old", "held"))
    _until(lambda: "old" in service.calls)
    _until(lambda: map_run_of(service, arn)["executionCounts"]["failed"] == 1)
    service.clock.shift_ms = 15 * DAY_MS  # the first child's time is over, not the parent's
    release.set()
    assert service.closed(arn)["status"] == "FAILED"
    service.calls.clear()
    service.broken.clear()

    found = service.redriven(arn)

    assert service.calls == ["held"]
    assert found["status"] == "SUCCEEDED"  # one failure is tolerated
    assert map_run_of(service, arn)["executionCounts"]["failed"] == 1


def _until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    waiting = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if holds():
            return
        waiting.wait(0.01)
    pytest.fail("It has not come to that.")


def test_children_over_the_concurrency_limit_are_counted_as_pending_redrive(service: Service) -> None:
    service.broken |= {"a", "b"}
    arn = service.failed(distributed(ToleratedFailurePercentage=50, MaxConcurrency=1), input=items("a", "b", "c"))
    release = threading.Event()

    def held(event: Json) -> Json:
        service.calls.append(event["item"])
        assert release.wait(20)
        return event["item"]

    service.server.functions["work"] = held
    try:
        service.sfn.redrive_execution(executionArn=arn)
        _until(lambda: bool(service.calls))
        counts = map_run_of(service, arn)["executionCounts"]
        release.set()
        found = service.closed(arn)
    finally:
        service.server.functions["work"] = service.work

    assert (counts["running"], counts["pendingRedrive"], counts["pending"]) == (1, 1, 1)
    assert json.loads(found["output"]) == ["a", "b", "c"]


def test_a_new_map_run_starts_if_the_results_were_too_large(service: Service) -> None:
    service.server.functions["large"] = lambda _: "x" * 140_000
    large = {"Type": "Task", "Resource": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:large", "End": True}
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Large",
        "States": {"Large": large},
    }
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor}
    arn = service.failed(machine_of(Each=each), input=items("a", "b"))
    assert service.closed(arn)["error"] == "States.DataLimitExceeded"

    service.redriven(arn)

    assert len(service.sfn.list_map_runs(executionArn=arn)["mapRuns"]) == 2
    assert "MapRunRedriven" not in service.types_after_redrive(arn)


@pytest.mark.parametrize(
    ("redrives", "status", "error"), [(999, "SUCCEEDED", None), (1000, "FAILED", "States.Runtime")]
)
def test_a_map_run_is_redriven_at_most_a_thousand_times(
    service: Service, redrives: int, status: str, error: str | None
) -> None:
    service.broken.add("a")
    arn = service.failed(distributed(), input=items("a"))
    order = service.store.document("map_run_order", map_run_of(service, arn)["mapRunArn"])
    assert order is not None
    service.store.put_document(replace(order, body={**order.body, "redrive_count": redrives}))
    service.broken.clear()

    found = service.redriven(arn)

    assert (found["status"], found.get("error")) == (status, error)
