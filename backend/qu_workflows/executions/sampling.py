"""Reads histories for samples of them, some each few minutes, far under the quota of GetExecutionHistory.

AWS lets an account ask 20 times a second for a page of a history, 400 times at once; a run takes 60 calls, 5 a second,
and ends at the first that is throttled: pages that people look at go before.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from threading import Event
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from qu_workflows.aws.pacing import Pace
from qu_workflows.executions.histories import read_history
from qu_workflows.executions.queries import LOCAL_ARN
from qu_workflows.executions.samples import Sample, keep_sample, remove_old_samples, write_sample
from qu_workflows.executions.step_functions import ExecutionGone, event_pages
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationFailed
from qu_workflows.records.models import UNSUCCESSFUL, TaskRecord, TaskStatus

CALLS_OF_A_RUN = 60
CALLS_PER_SECOND = 5.0
# Of each workflow only the newest are looked at: a run of every five minutes keeps up, or need not.
LOOKED_AT_OF_WORKFLOW = 200
_ENDED = (TaskStatus.SUCCEEDED, *UNSUCCESSFUL)

logger = logging.getLogger(__name__)


@dataclass
class Sampling:
    """What a run did: samples kept, calls made, executions that AWS no longer has, old samples removed.

    ``unread`` counts histories that could not be read; ``ended_early`` says why the run ended before its time.
    """

    sampled: int = 0
    calls: int = 0
    gone: int = 0
    unread: int = 0
    removed: int = 0
    ended_early: str = ""


def sample_histories(pace: Pace | None = None) -> dict[str, Any]:
    """Keep samples of the newest ended executions that have none, in turn of each workflow; return ``Sampling``.

    Raises nothing of Step Functions': what could not be asked is asked at the next run. Safe to repeat, and for
    several at once.
    """
    done = Sampling()
    pace = pace or Pace(CALLS_PER_SECOND)
    for record in _without_sample():
        if done.calls >= CALLS_OF_A_RUN:
            break
        try:
            _sample(record, pace, done)
        except OperationFailed as refused:
            done.ended_early = str(refused)
            logger.warning("The sampling of histories ended early: %s", refused)
            break
    done.removed = remove_old_samples()
    return asdict(done)


def _sample(record: TaskRecord, pace: Pace, done: Sampling) -> None:
    try:
        events = [event for page in _pages(record.execution_arn, pace, done) for event in page]
        done.sampled += keep_sample(record, read_history(events))
    except ExecutionGone:
        # An empty sample, so that it is not asked for again.
        write_sample(record, Sample((), {}), record.redrive_count, record.finished_at or timezone.now())
        done.gone += 1
    except OperationFailed:
        raise
    except Exception:
        logger.exception("The history of %s could not be read.", record.execution_arn)
        done.unread += 1


def _pages(arn: str, pace: Pace, done: Sampling) -> Iterator[list[dict[str, Any]]]:
    at_once = Event()
    at_once.set()  # a throttling is not waited out
    pages = event_pages(arn, at_once)
    while True:
        pace.wait()
        page = next(pages, None)
        if page is None:
            return
        done.calls += 1
        yield page


def _without_sample() -> Iterator[TaskRecord]:
    """Yield ended executions whose sample is lacking or older than their last redrive, a workflow after the other."""
    lists = [
        [record for record in _newest(workflow) if _lacks_sample(record)] for workflow in registered_project().workflows
    ]
    return (record for record in chain.from_iterable(zip_longest(*lists)) if record is not None)


def _newest(workflow: str) -> QuerySet[TaskRecord]:
    ended = TaskRecord.objects.filter(workflow=workflow, status__in=_ENDED)
    at_aws = ended.exclude(execution_arn="").exclude(execution_arn__startswith=LOCAL_ARN)
    fields = at_aws.only("workflow", "execution_arn", "redrive_count", "finished_at")
    return fields.annotate(sampled=F("sample__redrive_count")).order_by("-enqueued_at", "-id")[:LOOKED_AT_OF_WORKFLOW]


def _lacks_sample(record: TaskRecord) -> bool:
    sampled: int | None = record.sampled  # type: ignore[attr-defined]  # annotated
    return sampled is None or sampled < record.redrive_count
