"""Doing the same to many executions: one after the other, at a pace, until told to stop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from uuid import UUID

from qu_workflows.aws.pacing import Pace
from qu_workflows.executions.step_functions import StepFunctionsUnavailable
from qu_workflows.protocol.refusals import OperationRefused
from qu_workflows.records.audit import new_batch

DEFAULT_PER_SECOND = 20.0
_CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(frozen=True)
class LeftOut:
    """A task to which something can not be done, and why: ``problem`` and ``remedy`` are sentences."""

    task_id: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.task_id}: {self.problem} {self.remedy}"


@dataclass(frozen=True)
class Deed:
    """What was said of one task."""

    task_id: str
    said: str


@dataclass
class Deeds:
    """What was done to which tasks. ``batch`` finds all of it in the audit table."""

    batch: UUID = field(default_factory=new_batch)
    done: list[Deed] = field(default_factory=list)
    failed: list[Deed] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)


def refuse_all(left_out: Sequence[LeftOut], asked: int) -> None:
    """Raise OperationRefused with every reason, if there is one: of tasks that were named, all or none."""
    if len(left_out) == 1:
        [one] = left_out
        raise OperationRefused(one.task_id, one.problem, one.remedy)
    if left_out:
        reasons = "".join(f"\n  {one}" for one in left_out)
        raise OperationRefused(
            f"{len(left_out)} of {asked} can not be done", f"so nothing was done.{reasons}\n", "Leave these out."
        )


def said_of(done: str, before: str, at: datetime, asked_at: datetime) -> str:
    """Return what was ``done`` by AWS's answer; for what had come ``before``, that has the time of then."""
    return f"{before if at < asked_at - _CLOCKS_DIFFER else done} at {at:%Y-%m-%d %H:%M:%S %Z}"


def act_on_each[T](
    targets: Sequence[T],
    id_of: Callable[[T], str],
    act: Callable[[T, UUID], str],
    *,
    per_second: float = DEFAULT_PER_SECOND,
    stop: Event | None = None,
    batch: UUID | None = None,
) -> Deeds:
    """Do something to each target and return what became of it; ``act`` is given the batch and says what it did.

    A refusal of one is told as its failure and the others go on; once Step Functions is not reached, or ``stop``
    is set, the rest are not tried. ``batch`` is that of an earlier call, of which this one is a further part.
    """
    deeds, stop = Deeds(batch or new_batch()), stop or Event()
    pace = Pace(per_second, stop)
    for number, target in enumerate(targets):
        pace.wait()
        if stop.is_set():
            deeds.not_tried = [id_of(one) for one in targets[number:]]
            break
        try:
            deeds.done.append(Deed(id_of(target), act(target, deeds.batch)))
        except StepFunctionsUnavailable as error:
            deeds.failed.append(Deed(id_of(target), str(error)))
            deeds.not_tried = [id_of(one) for one in targets[number + 1 :]]
            break
        except OperationRefused as error:
            deeds.failed.append(Deed(id_of(target), str(error)))
    return deeds
