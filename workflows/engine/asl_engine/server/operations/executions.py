"""Operations on executions, their histories and their Map Runs."""

import asyncio
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from asl_engine.core.history import HistoryEvent
from asl_engine.errors import ExecutionDoesNotExist, ExecutionNotRedrivable
from asl_engine.jsontext import Json, loads
from asl_engine.runner.map_runs import MAP_RUN
from asl_engine.server.catalog import Alias, Catalog, Machine, Version
from asl_engine.server.protocol import ApiCall, seconds
from asl_engine.server.validation import StatesArn, api_error, check_name, invalid_input, parse_arn, validation_error
from asl_engine.store.records import ExecutionFilter, ExecutionRecord

INCLUDED = {"included": True}


@dataclass(frozen=True, slots=True)
class Target:
    """The machine and revision to start, with the version and alias of the request."""

    machine: Machine
    revision: str
    version_arn: str | None = None
    alias_arn: str | None = None


def _target(call: ApiCall) -> Target:
    text = call.arguments["stateMachineArn"]
    arn = parse_arn(text, "stateMachine")
    catalog = Catalog(call.store)
    machine = catalog.machine(arn.state_machine, text)
    if machine.deleting:
        raise api_error("StateMachineDeleting", text)
    if arn.qualifier is None:
        return Target(machine, machine.revision)
    alias = None if arn.is_version else catalog.find(Alias, text)
    version = catalog.find(Version, _routed(call, alias) if alias else text)
    if version is None:
        raise api_error("StateMachineDoesNotExist", text)
    return Target(machine, version.revision, version.arn, alias.arn if alias else None)


def _routed(call: ApiCall, alias: Alias) -> str:
    """Return a version of the alias, drawn by the weights."""
    drawn = call.draw() * 100
    for route in alias.routes:
        drawn -= route["weight"]
        if drawn < 0:
            return str(route["stateMachineVersionArn"])
    return str(alias.routes[-1]["stateMachineVersionArn"])


def _new_record(call: ApiCall, target: Target) -> ExecutionRecord:
    asked, machine = call.arguments, target.machine
    name = check_name(asked["name"]) if "name" in asked else str(uuid.uuid4())
    text = asked.get("input", "{}")
    try:
        loads(text)
    except ValueError:
        raise invalid_input(text) from None
    owner = parse_arn(machine.arn, "stateMachine")
    head = owner.text.split(":")[:5]
    express = machine.type == "EXPRESS"
    own = ["express", machine.name, name, str(uuid.uuid4())] if express else ["execution", machine.name, name]
    return ExecutionRecord(
        arn=":".join([*head, *own]),
        state_machine_arn=machine.arn,
        name=name,
        input=text,
        definition="",
        start_ms=call.now_ms(),
        version_arn=target.version_arn,
        alias_arn=target.alias_arn,
        trace_header=asked.get("traceHeader"),
        express=express,
    )


def start_execution(call: ApiCall) -> Json:
    """StartExecution. Safe to retry with a name and equal input."""
    target = _target(call)
    return _begun(_start(call, target, _new_record(call, target)))


async def start_execution_soon(call: ApiCall) -> Json:
    """StartExecution within the event loop: a thread would cost as much as the start itself."""
    target = _target(call)
    revision = Catalog(call.store).revision(target.revision)
    begun = call.engine.start_soon(_new_record(call, target), revision.definition, revision.role_arn)
    return _begun(await asyncio.wrap_future(begun))


def _begun(record: ExecutionRecord) -> Json:
    return {"executionArn": record.arn, "startDate": seconds(record.start_ms)}


async def start_sync_execution(call: ApiCall) -> Json:
    """StartSyncExecution: answer when the execution has ended. Express machines only."""
    loop = asyncio.get_running_loop()
    closed: asyncio.Future[ExecutionRecord] = loop.create_future()

    def notify(record: ExecutionRecord) -> None:
        loop.call_soon_threadsafe(_settle, closed, record)

    await loop.run_in_executor(None, _start_and_watch, call, notify)
    return _ended(call, await closed)


def _settle(closed: "asyncio.Future[ExecutionRecord]", record: ExecutionRecord) -> None:
    if not closed.done():  # else the client has left
        closed.set_result(record)


def _start_and_watch(call: ApiCall, notify: Callable[[ExecutionRecord], None]) -> None:
    target = _target(call)
    if target.machine.type != "EXPRESS":
        raise api_error("StateMachineTypeNotSupported")
    record = _new_record(call, target)
    call.engine.when_closed(record.arn, notify)  # before the start, as it may close at once
    _start(call, target, record)


def _start(call: ApiCall, target: Target, record: ExecutionRecord) -> ExecutionRecord:
    revision = Catalog(call.store).revision(target.revision)
    return call.engine.start(record, revision.definition, revision.role_arn)


def _ended(call: ApiCall, record: ExecutionRecord) -> Json:
    duration_ms = (record.stop_ms or record.start_ms) - record.start_ms
    billed_ms = max(100, -(-duration_ms // 100) * 100)
    return {
        **_shown(record),
        **_data(call, record),
        "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": billed_ms},
    }


def stop_execution(call: ApiCall) -> Json:
    """StopExecution. The answer for a closed execution is its stop date."""
    asked = call.arguments
    arn = parse_arn(asked["executionArn"], "execution").text
    return {"stopDate": seconds(call.engine.stop(arn, asked.get("error"), asked.get("cause")))}


def _existing(call: ApiCall) -> ExecutionRecord:
    arn = parse_arn(call.arguments["executionArn"], "execution", "express")
    if arn.kind == "express":  # not stored
        raise api_error("InvalidArn", "Resource type not valid in this context: express")
    record = call.store.execution(arn.text)
    if record is None:
        raise ExecutionDoesNotExist(arn.text)
    return record


def describe_execution(call: ApiCall) -> Json:
    """DescribeExecution."""
    record = _existing(call)
    deleting = record.status not in ("RUNNING", "SUCCEEDED") and _is_deleting(call, record)
    status, reason = call.engine.redrive_status(record, machine_is_deleting=deleting)
    shown = {**_shown(record), **_data(call, record), "redriveCount": record.redrive_count, "redriveStatus": status}
    optional = {
        "redriveStatusReason": reason,
        "mapRunArn": record.map_run_arn,
        "redriveDate": seconds(record.redrive_ms) if record.redrive_ms else None,
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def _shown(record: ExecutionRecord) -> dict[str, Json]:
    hidden = ("mapRunArn", "input", "output", "redriveCount", "redriveDate")
    return {
        name: seconds(value) if name in ("startDate", "stopDate") else value
        for name, value in record.description().items()
        if value is not None and name not in hidden
    }


def _data(call: ApiCall, record: ExecutionRecord) -> dict[str, Json]:
    if call.arguments.get("includedData") == "METADATA_ONLY":
        return {}
    shown: dict[str, Json] = {"input": record.input, "inputDetails": INCLUDED}
    return shown if record.output is None else {**shown, "output": record.output, "outputDetails": INCLUDED}


def list_executions(call: ApiCall) -> Json:
    """ListExecutions of a machine, version, alias or Map Run, most recent first."""
    where = _filter(call)
    start = call.page_start(int, str)
    after = (start[0], start[1]) if start else None
    found = call.store.executions(where, after=after, limit=call.page_size + 1)
    page, more = call.page(found, lambda last: [last.recent_ms, last.arn])
    return {"executions": [_listed(record) for record in page], **more}


def _filter(call: ApiCall) -> ExecutionFilter:
    asked = call.arguments
    owner, map_run, redrive = asked.get("stateMachineArn"), asked.get("mapRunArn"), asked.get("redriveFilter")
    status = asked.get("statusFilter")
    if map_run is not None and owner is None:
        parse_arn(map_run, "mapRun")
        if call.store.document(MAP_RUN, map_run) is None:
            raise api_error("ResourceNotFound", map_run)
        redriven = None if redrive is None else redrive == "REDRIVEN"
        return ExecutionFilter(map_run_arn=map_run, status=status, redriven=redriven)
    if owner is None or map_run is not None:
        raise validation_error("Must provide exactly one of the following arguments: stateMachineArn or mapRunArn")
    if redrive or status == "PENDING_REDRIVE":
        raise validation_error("redriveFilter and the status PENDING_REDRIVE require a mapRunArn")
    arn = parse_arn(owner, "stateMachine")
    machine = Catalog(call.store).machine(arn.state_machine, owner)
    if machine.type == "EXPRESS":
        raise api_error("StateMachineTypeNotSupported")
    return _of_machine(arn, status)


def _of_machine(arn: StatesArn, status: str | None) -> ExecutionFilter:
    if arn.qualifier is None:
        return ExecutionFilter(state_machine_arn=arn.text, status=status)
    if arn.is_version:
        return ExecutionFilter(version_arn=arn.text, status=status)
    return ExecutionFilter(alias_arn=arn.text, status=status)


def _listed(record: ExecutionRecord) -> dict[str, Json]:
    hidden = ("traceHeader", "error", "cause")
    shown = {name: value for name, value in _shown(record).items() if name not in hidden}
    shown["redriveCount"] = record.redrive_count
    if record.map_run_arn:
        shown["mapRunArn"] = record.map_run_arn
    if record.redrive_ms:
        shown["redriveDate"] = seconds(record.redrive_ms)
    return shown


def redrive_execution(call: ApiCall) -> Json:
    """RedriveExecution. The client token of a recent redrive gives its answer again."""
    record = _existing(call)
    if _is_deleting(call, record):
        raise ExecutionNotRedrivable("State machine is in DELETING status")
    return {"redriveDate": seconds(call.engine.redrive(record.arn, call.arguments.get("clientToken")))}


def _is_deleting(call: ApiCall, record: ExecutionRecord) -> bool:
    """Return whether the execution's machine is being deleted or is deleted."""
    machine = Catalog(call.store).find(Machine, record.state_machine_arn.split("/", 1)[0])
    return machine is None or machine.deleting


# --- history ---

_SHARED = (
    (re.compile(r"\w+StateEntered"), "stateEnteredEventDetails"),
    (re.compile(r"\w+StateExited"), "stateExitedEventDetails"),
)
_DATA = {"input": "inputDetails", "output": "outputDetails", "assignedVariables": "assignedVariablesDetails"}
_WHOLE = {"truncated": False}


def get_execution_history(call: ApiCall) -> Json:
    """GetExecutionHistory, from the first event or the last."""
    asked = call.arguments
    arn = parse_arn(asked["executionArn"], "execution").text
    start = call.page_start(int)
    if call.store.execution(arn) is None:
        raise ExecutionDoesNotExist(arn)
    after, reverse = start[0] if start else None, asked.get("reverseOrder", False)
    found = call.store.history(arn, after=after, limit=call.page_size + 1, reverse=reverse)
    page, more = call.page(found, lambda last: [last.id])
    with_data = asked.get("includeExecutionData", True)
    return {"events": [shown_event(event, with_data=with_data) for event in page], **more}


@cache
def details_key(event_type: str) -> str:
    """Return the API's name of an event type's details."""
    for pattern, name in _SHARED:
        if pattern.fullmatch(event_type):
            return name
    return f"{event_type[:1].lower()}{event_type[1:]}EventDetails"


def shown_event(event: HistoryEvent, *, with_data: bool = True) -> dict[str, Json]:
    """Return the API's form of an event."""
    shown: dict[str, Json] = {
        "timestamp": seconds(event.at_ms),
        "type": event.type,
        "id": event.id,
        "previousEventId": event.previous_id,
    }
    details = {name: value for name, value in event.details.items() if with_data or name not in _DATA}
    for name, about in _DATA.items():
        if name in details:
            details[about] = _WHOLE
    if details:
        shown[details_key(event.type)] = details
    return shown


# --- Map Runs ---

_CHANGES = {
    "maxConcurrency": "max_concurrency",
    "toleratedFailureCount": "tolerated_failure_count",
    "toleratedFailurePercentage": "tolerated_failure_percentage",
}
_TIMES = ("startDate", "stopDate", "redriveDate")


def _known_map_run(call: ApiCall) -> dict[str, Json]:
    arn = parse_arn(call.arguments["mapRunArn"], "mapRun").text
    found = call.engine.map_runs.describe(arn)
    if found is None:
        raise api_error("ResourceNotFound", arn)
    return found


def _shown_map_run(described: Mapping[str, Json]) -> dict[str, Json]:
    shown = {name: value for name, value in described.items() if value is not None}
    return shown | {name: seconds(shown[name]) for name in _TIMES if name in shown}


def describe_map_run(call: ApiCall) -> Json:
    """DescribeMapRun."""
    return _shown_map_run(_known_map_run(call))


def list_map_runs(call: ApiCall) -> Json:
    """ListMapRuns of an execution, latest first."""
    arn = parse_arn(call.arguments["executionArn"], "execution").text
    record = call.store.execution(arn)
    if record is None:
        raise ExecutionDoesNotExist(arn)
    page, more = call.documents(MAP_RUN, arn, descending=True)
    listed = ("executionArn", "mapRunArn", "startDate", "stopDate")
    runs = [
        {"stateMachineArn": record.state_machine_arn}
        | {name: value for name, value in _shown_map_run(one.body).items() if name in listed}
        for one in page
    ]
    return {"mapRuns": runs, **more}


def update_map_run(call: ApiCall) -> Json:
    """UpdateMapRun: change the limits of a running Map Run."""
    asked = call.arguments
    changes = {_CHANGES[name]: asked[name] for name in _CHANGES if asked.get(name) is not None}
    if not changes:
        raise validation_error(f"At least one of [{', '.join(_CHANGES)}] must be specified")
    described = _known_map_run(call)
    if described["status"] != "RUNNING":
        raise validation_error(f"Map Run is {described['status']} and cannot be updated: '{asked['mapRunArn']}'")
    call.engine.map_runs.update(asked["mapRunArn"], **changes)
    return {}
