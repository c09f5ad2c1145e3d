"""Starts the executions that ``states:startExecution`` tasks ask for, by the rules of StartExecution."""

from collections.abc import Callable

from asl_engine.adapters.performer import TaskCall
from asl_engine.adapters.start_execution import read_start_request, start_refused
from asl_engine.definition.resources import parse_resource
from asl_engine.errors import ApiError
from asl_engine.jsontext import Json
from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.server.operation import ApiCall
from asl_engine.server.operations.executions import start_execution
from asl_engine.server.request_fields import FIELDS
from asl_engine.server.request_validation import check_request


def start_nested(engine: Runner, call: TaskCall, draw: Callable[[], float]) -> Json:
    """Start the execution that a task asks for; ``draw`` picks among an alias's versions. Raises TaskError."""
    asked = read_start_request(call.parameters)
    arguments = {"stateMachineArn": asked.state_machine_arn, "input": asked.input}
    if asked.name is not None:
        arguments["name"] = asked.name
    try:
        check_request(FIELDS["StartExecution"], arguments)
        started = start_execution(ApiCall(engine, Account(), arguments, draw))
    except ApiError as refusal:
        submits = parse_resource(call.resource).submits
        raise start_refused(refusal.code, refusal.message, submits=submits) from None
    return {"ExecutionArn": started["executionArn"], "StartDate": round(started["startDate"] * 1000)}
