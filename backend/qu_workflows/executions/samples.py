"""Samples of ended executions, and statistics of their states and edges.

A history takes at least one call of GetExecutionHistory, so only a sample is kept: executions whose page was opened,
and those that the schedule ``sample_histories`` reads. The quota is 20 calls a second with a burst of 400; a run makes
60 calls, 5 a second, and ends when throttled, so that open pages have priority.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain, zip_longest
from statistics import quantiles
from typing import Any, TypedDict

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from qu_workflows.aws.pacing import Pace
from qu_workflows.executions.histories import History, StateEntry, StateOutcome, read_history
from qu_workflows.executions.redrivability import at_step_functions
from qu_workflows.executions.step_functions import AT_ONCE, ExecutionGone, event_pages
from qu_workflows.protocol.project import registered_project
from qu_workflows.protocol.refusals import OperationFailed
from qu_workflows.records.json_values import storable_json
from qu_workflows.records.models import UNSUCCESSFUL, ExecutionSample, TaskRecord, TaskStatus

CALLS_OF_A_RUN = 60
CALLS_PER_SECOND = 5.0
# Older executions without a sample are ignored.
CONSIDERED_OF_WORKFLOW = 200
_ENDED = (TaskStatus.SUCCEEDED, *UNSUCCESSFUL)

# The newest samples of a workflow, which the statistics cover.
SAMPLES_OF_FIGURES = 200
KEPT_OF_WORKFLOW = 2_000
# The maximum of entries kept per state and execution: iterations of a Map may have thousands.
MAX_ENTRIES_OF_STATE = 20
FAILURES = frozenset({StateOutcome.FAILED.name, StateOutcome.TIMED_OUT.name, StateOutcome.CAUGHT.name})
_CALLBACK = ".waitForTaskToken"

logger = logging.getLogger(__name__)

type Edge = tuple[str, str]


class SampledEntry(TypedDict):
    """A stored state entry. ``seconds`` is None if a redrive interrupted it.

    ``outcome`` is the name of a ``StateOutcome``; ``waits``: the state waited for a callback.
    """

    state: str
    kind: str
    seconds: float | None
    tries: int
    outcome: str
    waits: bool


@dataclass(frozen=True)
class Sample:
    """The sample of a history: state entries and edge counts."""

    entries: tuple[SampledEntry, ...]
    edges: Mapping[Edge, int]


@dataclass(frozen=True, kw_only=True)
class StepStatistics:
    """The statistics of a state over the samples.

    ``entries`` counts its entries in ``executions`` executions, without aborted ones. Times include all attempts and
    the waits between them, None if no entry has a time. ``tries`` is a mean, 0 for a state that is not a task;
    ``failed_share`` (0 to 1) includes caught errors.
    """

    workflow: str
    state: str
    kind: str
    waits: bool
    executions: int
    entries: int
    p50_seconds: float | None
    p95_seconds: float | None
    tries: float
    failed_share: float


@dataclass(frozen=True)
class EdgeCounts:
    """Counts of edges ``(from, to)`` over the newest ``executions`` samples."""

    executions: int
    taken: Mapping[Edge, int]


def sample_of(history: History) -> Sample:
    """Return the sample of a history. Pure."""
    redrives = [event.id for event in history.events if event.type == "ExecutionRedriven"]
    waiting = _waiting(history)
    by_state: dict[str, list[SampledEntry]] = defaultdict(list)
    for entry in history.entries:
        by_state[entry.name].append(_kept(entry, redrives, waits=not waiting.isdisjoint(entry.event_ids)))
    return Sample(tuple(one for entries in by_state.values() for one in _drawn(entries)), _edges(history))


def keep_sample(record: TaskRecord, history: History) -> bool:
    """Save the sample of an ended execution; return whether it was new or outdated.

    Safe to repeat and to run concurrently.
    """
    if history.status == TaskStatus.RUNNING or not history.events:
        return False
    redrives = max(history.redrives, record.redrive_count)
    if ExecutionSample.objects.filter(pk=record.pk, redrive_count__gte=redrives).exists():
        return False
    write_sample(record, sample_of(history), redrives, record.finished_at or history.events[-1].at)
    return True


def write_sample(record: TaskRecord, sample: Sample, redrive_count: int, finished_at: datetime) -> None:
    """Insert or update a sample in one statement."""
    nested: dict[str, dict[str, int]] = defaultdict(dict)
    for (source, target), count in sample.edges.items():
        nested[source][target] = count
    row = ExecutionSample(
        record=record,
        workflow=record.workflow,
        finished_at=finished_at,
        redrive_count=redrive_count,
        entries=storable_json([dict(entry) for entry in sample.entries]),
        edges=storable_json(dict(nested)),
    )
    fields = ["workflow", "finished_at", "redrive_count", "entries", "edges"]
    ExecutionSample.objects.bulk_create([row], update_conflicts=True, unique_fields=["record"], update_fields=fields)


def step_statistics(workflow: str = "", samples: int = SAMPLES_OF_FIGURES) -> list[StepStatistics]:
    """Return statistics of the states of one or every workflow, by one query.

    States are in the order of their first entry, in the newest sample that has them.
    """
    found: dict[tuple[str, str], list[SampledEntry]] = defaultdict(list)
    executions: Counter[tuple[str, str]] = Counter()
    for name, entries in _newest(workflow, samples).values_list("workflow", "entries"):
        by_itself = [entry for entry in entries if entry["outcome"] != StateOutcome.ABORTED.name]
        for entry in by_itself:
            found[name, entry["state"]].append(entry)
        executions.update({(name, entry["state"]) for entry in by_itself})
    return [_statistics(*key, entries, executions[key]) for key, entries in found.items()]


def edge_counts(workflow: str, samples: int = SAMPLES_OF_FIGURES) -> EdgeCounts:
    """Count edges in the newest samples of a workflow, by one query."""
    taken: Counter[Edge] = Counter()
    executions = 0
    for (edges,) in _newest(workflow, samples).values_list("edges"):
        executions += 1
        for source, targets in edges.items():
            for target, count in targets.items():
                taken[source, target] += count
    return EdgeCounts(executions, dict(taken))


def remove_old_samples(kept: int = KEPT_OF_WORKFLOW) -> int:
    """Delete all but the newest ``kept`` samples of each workflow; return the number deleted."""
    removed = 0
    for workflow in ExecutionSample.objects.order_by().values_list("workflow", flat=True).distinct():
        samples = ExecutionSample.objects.filter(workflow=workflow)
        too_many = samples.order_by("-finished_at", "-pk")[kept:].values("pk")
        removed += samples.filter(pk__in=list(too_many.values_list("pk", flat=True))).delete()[0]
    return removed


@dataclass
class Sampling:
    """The counts of a run: samples saved, calls, expired executions, unreadable histories, samples removed.

    ``ended_early`` says why the run ended before its limit.
    """

    sampled: int = 0
    calls: int = 0
    gone: int = 0
    unread: int = 0
    removed: int = 0
    ended_early: str = ""


def sample_histories(pace: Pace | None = None) -> dict[str, Any]:
    """Sample the newest ended executions without a sample, alternating workflows; return ``Sampling`` as a dict.

    Errors of Step Functions are not raised; the next run tries again. Safe to repeat and to run concurrently.
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
            logger.warning("Sampling histories ended early: %s", refused)
            break
    done.removed = remove_old_samples()
    return asdict(done)


def _newest(workflow: str, samples: int) -> Any:
    """Return the newest samples of a workflow or of each, without empty ones."""
    kept = ExecutionSample.objects.exclude(entries=[])
    if workflow:
        return kept.filter(workflow=workflow).order_by("-finished_at", "-pk")[:samples]
    number = Window(RowNumber(), partition_by="workflow", order_by=[F("finished_at").desc(), F("pk").desc()])
    ranked = kept.annotate(number=number).filter(number__lte=samples)
    return ranked.order_by("workflow", "-finished_at")


def _statistics(workflow: str, state: str, entries: Sequence[SampledEntry], executions: int) -> StepStatistics:
    seconds = [entry["seconds"] for entry in entries if entry["seconds"] is not None]
    p50, p95 = quantiles(seconds, n=20, method="inclusive")[9::9] if seconds else (None, None)
    return StepStatistics(
        workflow=workflow,
        state=state,
        kind=entries[0]["kind"],
        waits=any(entry["waits"] for entry in entries),
        executions=executions,
        entries=len(entries),
        p50_seconds=p50,
        p95_seconds=p95,
        tries=sum(entry["tries"] for entry in entries) / len(entries),
        failed_share=sum(entry["outcome"] in FAILURES for entry in entries) / len(entries),
    )


def _kept(entry: StateEntry, redrives: Iterable[int], *, waits: bool) -> SampledEntry:
    ended = entry.ended_at or entry.entered_at
    # By event id: a redrive may share its millisecond with the events around it.
    is_redriven = any(entry.event_ids[0] < redrive < entry.event_ids[-1] for redrive in redrives)
    return SampledEntry(
        state=entry.name,
        kind=entry.kind,
        seconds=None if is_redriven else round((ended - entry.entered_at).total_seconds(), 3),
        tries=entry.tries,
        outcome=entry.outcome.name,
        waits=waits,
    )


def _drawn(entries: list[SampledEntry]) -> list[SampledEntry]:
    """Return at most ``MAX_ENTRIES_OF_STATE`` entries, evenly over outcomes and durations."""
    if len(entries) <= MAX_ENTRIES_OF_STATE:
        return entries
    ordered = sorted(entries, key=lambda entry: (entry["outcome"], entry["seconds"] or 0.0))
    step = len(ordered) / MAX_ENTRIES_OF_STATE
    return [ordered[int((number + 0.5) * step)] for number in range(MAX_ENTRIES_OF_STATE)]


def _waiting(history: History) -> frozenset[int]:
    """Return the ids of events that start the wait for a callback."""
    return frozenset(event.id for event in history.events if str(event.details.get("resource", "")).endswith(_CALLBACK))


def _edges(history: History) -> dict[Edge, int]:
    """Count transitions from the exit of a state to the entry of the next."""
    exited = {event.id: event.details.get("name", "") for event in history.events if event.type.endswith("StateExited")}
    return dict(
        Counter(
            (exited[event.previous_id], event.details.get("name", ""))
            for event in history.events
            if event.type.endswith("StateEntered") and event.previous_id in exited
        )
    )


def _sample(record: TaskRecord, pace: Pace, done: Sampling) -> None:
    try:
        pages = event_pages(record.execution_arn, AT_ONCE, before_each=pace.wait)
        events = []
        for page in pages:
            done.calls += 1
            events += page
        done.sampled += keep_sample(record, read_history(events))
    except ExecutionGone:
        # An empty sample prevents another read.
        write_sample(record, Sample((), {}), record.redrive_count, record.finished_at or timezone.now())
        done.gone += 1
    except OperationFailed:
        raise
    except Exception:
        logger.exception("Cannot read the history of %s.", record.execution_arn)
        done.unread += 1


def _without_sample() -> Iterator[TaskRecord]:
    """Yield ended executions whose sample is missing or outdated, alternating workflows."""
    lists = [
        [record for record in _newest_ended(workflow) if _lacks_sample(record)]
        for workflow in registered_project().workflows
    ]
    return (record for record in chain.from_iterable(zip_longest(*lists)) if record is not None)


def _newest_ended(workflow: str) -> QuerySet[TaskRecord]:
    ended = TaskRecord.objects.filter(workflow=workflow, status__in=_ENDED)
    at_aws = ended.filter(at_step_functions())
    fields = at_aws.only("workflow", "execution_arn", "redrive_count", "finished_at")
    return fields.annotate(sampled=F("sample__redrive_count")).order_by("-enqueued_at", "-id")[:CONSIDERED_OF_WORKFLOW]


def _lacks_sample(record: TaskRecord) -> bool:
    sampled: int | None = record.sampled  # type: ignore[attr-defined]  # annotated
    return sampled is None or sampled < record.redrive_count
