"""The dispatcher's settings, all from the environment."""

import json
import re
from collections.abc import Mapping

from lambdas.shared.runtime.settings import SettingError, read_int, read_text
from qu_workflows.protocol.traces import DEFAULT_SAMPLED_PERCENT
from workflows.project import PROJECT

STATE_MACHINE_ARNS = "STATE_MACHINE_ARNS"
TRACE_SAMPLED_PERCENT = "TRACE_SAMPLED_PERCENT"

# A state machine, or a version or an alias of one.
_ARN = re.compile(r"arn:[\w-]+:states:[\w-]+:\d{12}:stateMachine:[^\s:]+(:[^\s:]+)?")
_REMEDY = f'Set it to a JSON object {{"<workflow>": "<state machine ARN>"}} with {", ".join(PROJECT.workflows)}.'


def state_machine_arns() -> Mapping[str, str]:
    """Return the ARN of each workflow's state machine, from ``STATE_MACHINE_ARNS``.

    Raises SettingError when a workflow is missing or unknown, or two share one machine.
    """
    text = read_text(STATE_MACHINE_ARNS)
    if not text:
        raise SettingError(STATE_MACHINE_ARNS, "is not set.", _REMEDY)
    try:
        arns = json.loads(text)
    except ValueError as error:
        raise SettingError(STATE_MACHINE_ARNS, f"is not JSON ({error}).", _REMEDY) from None
    problem = _problem(arns)
    if problem:
        raise SettingError(STATE_MACHINE_ARNS, problem, _REMEDY)
    return {workflow: arns[workflow] for workflow in PROJECT.workflows}


def trace_sampled_percent() -> int:
    """Return how many of a hundred tasks are traced that come without a tracing header, as schedules' do.

    Raises SettingError for what is no percentage.
    """
    return read_int(TRACE_SAMPLED_PERCENT, DEFAULT_SAMPLED_PERCENT, least=0, most=100)


def _problem(arns: object) -> str:
    if not isinstance(arns, dict):
        return "is not a JSON object."
    if missing := [workflow for workflow in PROJECT.workflows if workflow not in arns]:
        return f"lacks {', '.join(missing)}."
    if unknown := sorted(arns.keys() - set(PROJECT.workflows)):
        return f"names {', '.join(unknown)}, which no workflow is called."
    if wrong := [workflow for workflow, arn in arns.items() if not isinstance(arn, str) or not _ARN.fullmatch(arn)]:
        return f"gives {', '.join(wrong)} no state machine ARN."
    if len(set(arns.values())) < len(arns):
        return "gives two workflows the same state machine."
    return ""
