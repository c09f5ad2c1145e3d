"""The saved state of an execution: a header and a tree of branches.

The root branch runs the definition itself. A Parallel state adds a branch per branch, an inline Map one per
iteration. A branch holds everything that continuing after a crash needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from asl_engine.jsontext import Json


class Status(StrEnum):
    """The API's status of an execution."""

    PENDING = "PENDING"  # a Map Run's child that has not started
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"


class Phase(StrEnum):
    """The activity of a branch."""

    PENDING = "pending"  # an iteration that has not started
    READY = "ready"  # about to enter its state
    ENTERED = "entered"  # in its state, about to do its work, perhaps again
    TASK = "task"  # its task is out
    WAIT = "wait"  # its Wait state's timer runs
    BACKOFF = "backoff"  # its retrier's timer runs
    CHILDREN = "children"  # its branches or iterations run
    MAP_RUN = "map_run"  # its Map Run runs
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


ROOT_ID = 1  # of the root branch; 0 is the execution itself

GOING_ON = frozenset({Phase.READY, Phase.ENTERED})
OPEN = GOING_ON | {Phase.TASK, Phase.WAIT, Phase.BACKOFF, Phase.CHILDREN, Phase.MAP_RUN}


@dataclass(slots=True)
class Branch:
    """One line of execution. Times are milliseconds since the epoch.

    ``route`` leads from the whole program to the one the branch runs in: pairs of state name and branch number (-1
    for a Map's item processor). ``token`` identifies the one timer or task that the branch waits for. Its children
    (a Parallel's branches, a Map's iterations) have consecutive ids.
    """

    id: int
    parent_id: int | None
    route: tuple[tuple[str, int], ...]
    index: int  # of the branch or iteration in its parent's state
    state: str
    phase: Phase = Phase.READY
    input: Json = None
    input_text: str | None = None  # the input as JSON, once written; never saved
    # With those of the enclosing scopes; replaced, never changed.
    variables: dict[str, Json] = field(default_factory=dict)
    last_event_id: int = 0
    entered_event_id: int = 0  # 0: not in a state yet
    before_entered_id: int = 0  # the event before Entered; never saved, as work follows at once
    entered_ms: int = 0
    token: int = 0
    wake_ms: int | None = None  # the end of a Wait or a back-off
    parameters: Json = None  # of the task that is out
    credentials: Json = None
    timeout_seconds: int | None = None
    timeout_ms: int | None = None  # the task's own end
    heartbeat_seconds: int | None = None
    heartbeat_ms: int | None = None
    task_token: str | None = None
    submission: Json = None  # the answer to the call that submitted the task
    started: bool = False  # the task's Started event is written
    retries: dict[int, int] = field(default_factory=dict)  # retrier's index -> retries taken
    item: Json = None  # a Map iteration's item
    is_item: bool = False
    first_child_id: int = 0
    child_count: int = 0
    child_limit: int = 0  # how many run at once
    child_running: int = 0
    child_left: int = 0  # how many are not done
    child_next: int = 0  # no child before this one is pending
    map_run_arn: str | None = None
    map_run_redrives: int = 0
    output: Json = None
    error: str | None = None
    cause: str | None = None


@dataclass(slots=True)
class Execution:
    """One execution. ``branches`` are those open or still needed."""

    arn: str
    name: str
    state_machine_arn: str
    input: Json
    start_ms: int
    express: bool = False
    role_arn: str = ""
    status: Status = Status.RUNNING
    stop_ms: int | None = None
    output: Json = None
    output_text: str | None = None  # the output as JSON; never saved
    error: str | None = None
    cause: str | None = None
    timeout_ms: int | None = None
    next_event_id: int = 1
    next_branch_id: int = 1
    next_token: int = 1
    redrive_count: int = 0
    redrive_ms: int | None = None
    redrive_tokens: Sequence[tuple[str, int]] = ()  # client token and time of the latest redrives
    parent_arn: str | None = None  # of a Map Run's child, or of a nested execution
    map_run_arn: str | None = None
    map_item: Json = None
    branches: dict[int, Branch] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)  # ids of branches that a store must write
    removed: set[int] = field(default_factory=set)
