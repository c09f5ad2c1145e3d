"""The declaration of a step's needs on AWS: ``NEEDS`` in its handler.

``make states`` renders the function, its role and its log group in ``deploy/template.yaml`` from it, without importing
the handler: the arguments are literals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StepNeeds:
    """The limits and rights of one step's function.

    ``reads``, ``writes`` and ``deletes`` are folders of the bucket, such as "thumbnails".
    """

    # Below the state's TimeoutSeconds: the function then ends before its state does.
    timeout_seconds: int = 60
    memory_mb: int = 512
    # Django, the secrets, the VPC, and the few instances that the database has connections for.
    database: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    # SES, and the table of sent mails, so that each is sent once.
    mail: bool = False
    # May end a state that waits for a task token.
    task_token: bool = False
    # May send tasks to the queue, now or later.
    enqueues: bool = False
    # May read the state of the queues and the histories of executions.
    watches: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of the bucket that the step uses."""
        return (*self.reads, *self.writes, *self.deletes)


def step_names() -> tuple[str, ...]:
    """Return the folders in ``lambdas/`` whose handlers declare NEEDS."""
    handlers = sorted(Path(__file__).parents[2].glob("*/handler.py"))
    return tuple(path.parent.name for path in handlers if "\nNEEDS = " in path.read_text(encoding="utf-8"))
