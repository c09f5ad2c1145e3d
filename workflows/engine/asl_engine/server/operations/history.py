"""An execution's history, as GetExecutionHistory shows it."""

import re
from functools import cache

from asl_engine.core.history import HistoryEvent
from asl_engine.errors import ExecutionDoesNotExist
from asl_engine.jsontext import Json
from asl_engine.server.arns import parse_arn
from asl_engine.server.operation import ApiCall, next_token, seconds

_SHARED = (
    (re.compile(r"\w+StateEntered"), "stateEnteredEventDetails"),
    (re.compile(r"\w+StateExited"), "stateExitedEventDetails"),
)
_DATA = {"input": "inputDetails", "output": "outputDetails", "assignedVariables": "assignedVariablesDetails"}
_WHOLE = {"truncated": False}


def get_execution_history(call: ApiCall) -> Json:
    """GetExecutionHistory, from the first event or from the last."""
    asked = call.arguments
    arn = parse_arn(asked["executionArn"], "execution").text
    start = call.page_start(int)
    if call.store.execution(arn) is None:
        raise ExecutionDoesNotExist(arn)
    page = call.store.history(
        arn, after=start[0] if start else None, limit=call.page_size + 1, reverse=asked.get("reverseOrder", False)
    )
    with_data = asked.get("includeExecutionData", True)
    answer: dict[str, Json] = {"events": [shown_event(event, with_data=with_data) for event in page[: call.page_size]]}
    if len(page) > call.page_size:
        answer["nextToken"] = next_token(page[call.page_size - 1].id)
    return answer


@cache
def details_key(event_type: str) -> str:
    """Return the name of the field that holds the details of a type of event."""
    for pattern, name in _SHARED:
        if pattern.fullmatch(event_type):
            return name
    return f"{event_type[:1].lower()}{event_type[1:]}EventDetails"


def shown_event(event: HistoryEvent, *, with_data: bool = True) -> dict[str, Json]:
    """Return an event as the API writes it."""
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
