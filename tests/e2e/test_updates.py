"""Updates of parameters, code and a definition while the stack works."""

import dataclasses
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deploy import ROOT
from deploy.local.aws.deployment import Overlay, Release, StackNotDeployed
from deploy.local.aws.stand_in import ENGINE, chosen_step_functions
from deploy.local.demo.flaky import WAITS_MARK, word_key
from deploy.local.stack import PREFIX, STAGE
from deploy.packages.functions import FUNCTIONS
from tests.e2e.browser import Browser
from tests.e2e.conftest import GOOD, WholePath, eventually
from tests.e2e.test_incidents import FIRST, incident, link_of, output_of
from tests.e2e.updating import update

pytestmark = [
    pytest.mark.slow,  # half a minute, and it wants the functions' old versions to itself
    pytest.mark.skipif(chosen_step_functions() != ENGINE, reason="updates reach the engine's state machines"),
]

NEXT_CODE = """
import json
from {module} import lambda_handler as former

def lambda_handler(event, context):
    print(json.dumps({{"release": "next", "of": event["task_id"], "version": context.function_version}}), flush=True)
    return former(event, context)
"""
NO_DEFINITION = b'{"StartAt": "Nowhere", "States": {"Somewhere": {"Type": "Succeed"}}}'
SECONDS_BETWEEN_MESSAGES = 1.0


def next_code(module: str, *also: Overlay) -> Overlay:
    """Return an overlay that logs the next release and calls the former code."""
    files = {name: content for overlay in also for name, content in overlay.files.items()}
    return Overlay("next_code.lambda_handler", {**files, "next_code.py": NEXT_CODE.format(module=module).encode()})


def next_definition() -> bytes:
    definition = json.loads((ROOT / "state_machines" / "incident_escalation.asl.json").read_text())
    definition["States"]["Summarize"]["Parameters"]["release"] = "next"
    return json.dumps(definition).encode()


@dataclasses.dataclass
class Updating:
    """Updates the stack, and has messages come meanwhile."""

    path: WholePath
    sent: list[str] = dataclasses.field(default_factory=list)

    def to(self, release: Release) -> None:
        with ThreadPoolExecutor(1) as pool:
            deployment = pool.submit(update, self.path.stack, release)
            while not deployment.done():
                self.sent += self.path.send_messages(GOOD)
                time.sleep(SECONDS_BETWEEN_MESSAGES)
            deployment.result()

    def change(self, **fields: Any) -> None:
        self.to(dataclasses.replace(self.path.stack.release, **fields))


@pytest.fixture
def updating(path: WholePath) -> Iterator[Updating]:
    before = path.stack.release
    updating = Updating(path)
    yield updating
    if path.stack.release != before:
        update(path.stack, before)


def live_versions(path: WholePath) -> dict[str, int]:
    lambdas, names = path.stack.aws.functions, [function.name for function in FUNCTIONS]
    aliases = {name: lambdas.get_alias(FunctionName=f"{PREFIX}-{STAGE}-{name}", Name="live") for name in names}
    return {name: int(alias["FunctionVersion"]) for name, alias in aliases.items()}


def has_version(path: WholePath, name: str, version: int) -> bool:
    pages = path.stack.aws.functions.get_paginator("list_versions_by_function").paginate(
        FunctionName=f"{PREFIX}-{STAGE}-{name}"
    )
    return str(version) in {one["Version"] for page in pages for one in page["Versions"]}


def mapping(path: WholePath) -> tuple[str, int]:
    [found] = path.stack.aws.functions.list_event_source_mappings(FunctionName=f"{PREFIX}-{STAGE}-dispatch_tasks:live")[
        "EventSourceMappings"
    ]
    return found["UUID"], int(found["ScalingConfig"]["MaximumConcurrency"])


def log_level(path: WholePath) -> str:
    """Return what load_report logs from on, where it is invoked."""
    live = path.stack.aws.functions.get_function_configuration(
        FunctionName=f"{PREFIX}-{STAGE}-load_report", Qualifier="live"
    )
    return live["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]


def is_in(path: WholePath, task_id: str, state: str) -> bool:
    if not path.has_started(task_id, "guard_report"):
        return False
    events = path.history(path.arn(task_id, "guard_report"))
    return state in {event.get("stateEnteredEventDetails", {}).get("name") for event in events}


def said_next(path: WholePath, function: str, task_id: str) -> bool:
    return bool(path.log(function, '"release": "next"', task_id))


def test_running_and_waiting_executions_survive_updates(path: WholePath, updating: Updating) -> None:
    before = path.stack.release
    report_id, waits = incident(path)
    link = link_of(path, report_id, FIRST)
    name = f"{WAITS_MARK}-during-updates.jpg"
    thumbnails = path.send_report((name, "coffee.jpg"))["async_processing"]["task_id"]
    eventually(lambda: is_in(path, thumbnails, "Make Thumbnails"), "thumbnails to be made")
    first, outputs, (uuid, _) = live_versions(path), path.stack.outputs, mapping(path)

    updating.change(parameters={**path.stack.release.parameters, "LogLevel": "DEBUG", "MaximumConcurrency": "3"})

    second = live_versions(path)
    assert all(second[function] > first[function] for function in first), "each function has a new configuration"
    assert all(has_version(path, function, version) for function, version in first.items())
    assert log_level(path) == "DEBUG"
    assert path.stack.outputs == outputs
    assert mapping(path) == (uuid, 3)

    overlays = dict(path.stack.release.overlays)
    overlays["make_thumbnails"] = next_code("flaky_make_thumbnails", overlays["make_thumbnails"])
    overlays["record_acknowledgement"] = next_code("lambdas.record_acknowledgement.handler")
    updating.change(overlays=overlays)

    third = live_versions(path)
    assert {function for function in third if third[function] != second[function]} == {
        "make_thumbnails",
        "record_acknowledgement",
    }
    path.stack.aws.s3.put_object(Bucket=path.stack.outputs["BucketName"], Key=word_key(name), Body=b"work")
    assert path.finished(thumbnails).status == "SUCCEEDED"
    assert path.execution(path.arn(thumbnails, "guard_report")).failed_tries == []
    assert not said_next(path, "make_thumbnails", thumbnails), "an invocation ends in the version it began in"

    updating.change(definitions={"incident_escalation": next_definition()})

    assert live_versions(path) == third
    assert path.execution(path.arn(waits, "incident_escalation")).status == "RUNNING"
    later_id, later = incident(path)
    later_link = link_of(path, later_id, FIRST)
    for one in (link, later_link):
        Browser().open(one, {"answer": "acknowledge"})
    assert "release" not in output_of(path, waits), "an execution ends by the definition it began with"
    assert output_of(path, later)["release"] == "next"
    assert said_next(path, "record_acknowledgement", waits), "a step that begins later runs what the alias points at"

    updating.to(before)

    assert len(updating.sent) >= len(("parameter", "code", "definition", "back"))
    assert {path.finished(message, "run_task").status for message in updating.sent} == {"SUCCEEDED"}
    assert not path.dead_letters().keys() & set(updating.sent)
    again_id, again = incident(path)
    Browser().open(link_of(path, again_id, FIRST), {"answer": "acknowledge"})
    assert "release" not in output_of(path, again)
    assert not said_next(path, "record_acknowledgement", again)


def test_an_update_that_is_refused_leaves_everything_as_it_was(path: WholePath, updating: Updating) -> None:
    before, versions, release = definition(path), live_versions(path), path.stack.release
    overlays = {**release.overlays, "record_acknowledgement": next_code("lambdas.record_acknowledgement.handler")}

    with pytest.raises(StackNotDeployed, match=r"incident_escalation .*MISSING_TRANSITION_TARGET"):
        updating.change(definitions={"incident_escalation": NO_DEFINITION}, overlays=overlays)
    with pytest.raises(StackNotDeployed, match="VisibilityTimeoutSeconds"):
        updating.change(parameters={**release.parameters, "VisibilityTimeoutSeconds": "43201"}, overlays=overlays)
    with pytest.raises(StackNotDeployed, match="No updates are to be performed"):
        updating.to(release)

    assert path.stack.release is release
    assert definition(path) == before
    assert live_versions(path) == versions
    assert {path.finished(message, "run_task").status for message in updating.sent} == {"SUCCEEDED"}


def definition(path: WholePath) -> str:
    machine = path.stack.outputs["IncidentEscalationStateMachineArn"]
    return path.stack.aws.deployed_step_functions.describe_state_machine(stateMachineArn=machine)["definition"]
