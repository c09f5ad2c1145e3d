"""Step invocations per second on the whole path, compared with direct invocations.

The path: a message, the dispatcher, Step Functions, every step of guard_report, the status written back.
The reference: the same functions with the same events, invoked through ministack's Invoke with as many
callers at a time as there are reports, and nothing around them. Both are warm, and do equal work: files
are read and thumbnails made each time; mails were sent in the first turn and are found sent from then on.
Target: at least 0.6 of the reference.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from deploy.local.aws.stand_in import INSTANCES_PER_FUNCTION
from deploy.local.demo.operations import read_execution
from deploy.local.demo.uploads import SAMPLES, Upload, send_report
from deploy.local.progress import Progress
from deploy.local.stack import PREFIX, STAGE, LocalStack, StackOptions
from deploy.packages.functions import FUNCTIONS
from tests.benchmarks.report import Row, medians, report, sized

REPORTS = sized(10)  # one batch of the dispatcher
FILES = ("coffee.jpg", "patrol-log.pdf")
TURNS = sized(3)
TARGET = 0.6
POLL_SECONDS = 0.02

type Event = dict[str, Any]


def main() -> int:
    """Start a stack, measure, stop it, print what was found."""
    warm = {function.name: INSTANCES_PER_FUNCTION for function in FUNCTIONS}
    with tempfile.TemporaryDirectory() as folder:
        stack = LocalStack(Path(folder) / "stack", StackOptions(warm=warm), Progress(sys.stderr))
        try:
            stack.start()
            rows = measure(stack)
        finally:
            stack.stop()
    return report("whole_path", rows)


def measure(stack: LocalStack) -> list[Row]:
    """Return the one row: both rates, in step invocations per second."""
    report_ids = upload(stack)
    invocations = sum(len(events) for phase in phases(stack, report_ids[:1]) for _, events in phase) * REPORTS
    path_seconds, lambda_seconds = medians(
        TURNS, partial(run_path, stack, report_ids), partial(invoke_directly, stack, report_ids)
    )
    name = f"{invocations} steps of {REPORTS} reports"
    row = Row(name, invocations / path_seconds, "per s", invocations / lambda_seconds, TARGET, more_is_better=True)
    return [row]


def upload(stack: LocalStack) -> list[int]:
    """Send the reports and return their ids once each has been through the workflow."""
    files = [(name, SAMPLES / name) for name in FILES]
    guards = stack.people["guard_ids"]
    api_key = stack.people["api_key"]
    sent = [
        send_report(stack.django_url, api_key, Upload(guards[index % len(guards)], "Bench", files))
        for index in range(REPORTS)
    ]
    wait_for(stack, [answer["async_processing"]["task_id"] for answer in sent])
    return [answer["id"] for answer in sent]


def run_path(stack: LocalStack, report_ids: Sequence[int]) -> float:
    """Send a message per report; return the seconds until all executions succeed."""
    began = time.perf_counter()
    sent = stack.aws.sqs.send_message_batch(
        QueueUrl=stack.outputs["TasksQueueUrl"],
        Entries=[
            {
                "Id": str(report_id),
                "MessageBody": json.dumps({"task": "process_guard_report", "payload": {"report_id": report_id}}),
            }
            for report_id in report_ids
        ],
    )
    wait_for(stack, [message["MessageId"] for message in sent["Successful"]])
    return time.perf_counter() - began


def wait_for(stack: LocalStack, task_ids: Sequence[str]) -> None:
    """Wait until these executions succeed. Raises RuntimeError for a failed one."""
    machine = stack.outputs["GuardReportStateMachineArn"]
    waiting = set(task_ids)
    while waiting:
        listed = stack.aws.step_functions.list_executions(stateMachineArn=machine)["executions"]
        for execution in listed:
            if execution["name"] in waiting and execution["status"] != "RUNNING":
                waiting.discard(execution["name"])
                if execution["status"] != "SUCCEEDED":
                    found = read_execution(stack.aws.step_functions, execution["executionArn"])
                    raise RuntimeError(f"{execution['name']} ended {found.status}: {found.failed_tries}")
        time.sleep(POLL_SECONDS)


def invoke_directly(stack: LocalStack, report_ids: Sequence[int]) -> float:
    """Invoke the same steps with the same events concurrently; return the seconds."""
    began = time.perf_counter()
    with ThreadPoolExecutor(REPORTS) as pool:
        list(pool.map(lambda report_id: phases(stack, [report_id]), report_ids))
    return time.perf_counter() - began


def phases(stack: LocalStack, report_ids: Sequence[int]) -> list[list[tuple[str, list[Event]]]]:
    """Invoke every step of each report in the workflow's order, and return what was invoked."""
    return [_steps_of(partial(invoke, stack), report_id) for report_id in report_ids]


def invoke(stack: LocalStack, function: str, event: Event) -> Any:
    """Invoke a function and return its answer. Raises RuntimeError when it failed."""
    answer = stack.aws.functions.invoke(
        FunctionName=f"{PREFIX}-{STAGE}-{function}:live", Payload=json.dumps(event).encode()
    )
    content = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RuntimeError(f"{function} failed: {content}")
    return content


def _steps_of(call: Callable[[str, Event], Any], report_id: int) -> list[tuple[str, list[Event]]]:
    task_id = f"bench-{report_id}"
    with ThreadPoolExecutor(5) as pool:  # as many as the workflow's Map states take at a time

        def each(function: str, events: list[Event]) -> list[Any]:
            done.append((function, events))
            return list(pool.map(partial(call, function), events))

        done: list[tuple[str, list[Event]]] = []
        [loaded] = each("load_report", [{"task_id": task_id, "report_id": report_id}])
        files = [{"task_id": task_id, "file": file} for file in loaded["files"]]
        facts = each("inspect_file", files)
        made = each("make_thumbnails", [file | {"facts": fact} for file, fact in zip(files, facts, strict=True)])
        results = [
            {
                "file_id": file["file"]["file_id"],
                "status": "accepted",
                "facts": fact,
                "thumbnails": thumbnails["thumbnails"],
            }
            for file, fact, thumbnails in zip(files, facts, made, strict=True)
        ]
        each("record_report", [{"task_id": task_id, "report_id": report_id, "results": results}])
        people = [{"task_id": task_id, "report_id": report_id, "recipient": person} for person in loaded["recipients"]]
        each("send_email", [{"task_id": task_id, "email": email} for email in each("render_email", people)])
    return done


if __name__ == "__main__":
    sys.exit(main())
