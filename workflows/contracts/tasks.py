"""The tasks that have their own workflow: ``TASK`` of each contract.

``make states`` renders them into ``workflow_tasks.json``, against which payloads are validated.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from qu_workflows.protocol.contract import Contract


@dataclass(frozen=True)
class WorkflowTask:
    """A task, its workflow and its payload's contract.

    ``by_reference``: the workflow reads a payload from S3 that was too large to be sent inline.
    """

    task: str
    workflow: str
    payload: type[Contract]
    by_reference: bool = True


def workflow_tasks() -> tuple[WorkflowTask, ...]:
    """Return the ``TASK`` of each contract in this folder, by name."""
    modules = (import_module(f"{__package__}.{path.stem}") for path in Path(__file__).parent.glob("*.py"))
    return tuple(sorted((it.TASK for it in modules if hasattr(it, "TASK")), key=lambda task: task.task))
