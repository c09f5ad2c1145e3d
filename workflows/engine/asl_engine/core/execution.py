"""An execution as it is saved: a header, and a tree of branches that each stand in one state.

The root branch runs the definition itself. A Parallel state makes a branch per branch, an inline Map
one per iteration; each knows its parent. A branch is all that is needed to go on after a crash.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from asl_engine.jsontext import Json


class Status(StrEnum):
    """An execution's status, as the API spells it."""

    PENDING = "PENDING"  # a Map Run's child that waits for its turn
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"


class Phase(StrEnum):
    """What a branch is doing."""

    PENDING = "pending"  # an iteration that waits for its turn
    READY = "ready"  # about to enter its state
    ENTERED = "entered"  # in its state, about to do its work (again)
    TASK = "task"  # its task is out
    WAIT = "wait"  # its Wait state's timer runs
    BACKOFF = "backoff"  # its retrier's timer runs
    CHILDREN = "children"  # its branches or iterations run
    MAP_RUN = "map_run"  # its Map Run runs
    DONE = "done"
    FAILED = "failed"
    ABORTED = "aborted"


ROOT_ID = 1  # of the root branch; 0 stands for the execution itself

GOING_ON = frozenset({Phase.READY, Phase.ENTERED})
OPEN = GOING_ON | {Phase.TASK, Phase.WAIT, Phase.BACKOFF, Phase.CHILDREN, Phase.MAP_RUN}


@dataclass(slots=True)
class Branch:
    """One line of execution.

    ``route`` leads from the whole program to the program it runs in: pairs of state name and branch
    number (-1 for a Map's item processor). Times are milliseconds since the epoch. ``token`` names the
    one timer or task the branch waits for: an event with another token is late, and changes nothing.

    The children of a branch (its Parallel's branches, its Map's iterations, begun or not) have
    consecutive ids, so that none of them is ever looked for. A closed execution keeps those that a
    redrive needs.
    """

    id: int
    parent_id: int | None
    route: tuple[tuple[str, int], ...]
    index: int  # of the branch or iteration in its parent's state
    state: str
    phase: Phase = Phase.READY
    input: Json = None
    input_text: str | None = None  # the input as JSON, where it has been written; never saved
    variables: dict[str, Json] = field(
        default_factory=dict
    )  # those of the scopes around it too; replaced, never changed
    last_event_id: int = 0
    entered_event_id: int = 0  # 0: not in a state yet
    before_entered_id: int = 0  # the event before the state's Entered event; never saved, as work follows at once
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
    submission: Json = None  # what the call that submits the task has answered
    started: bool = False  # the task's Started event is written
    retries: dict[int, int] = field(default_factory=dict)  # retrier's index -> retries taken
    item: Json = None  # a Map iteration's item
    is_item: bool = False
    first_child_id: int = 0
    child_count: int = 0
    child_limit: int = 0  # how many may run at once
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
    """One execution. ``branches`` are those alive and those whose output or failure is still needed."""

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
    redrive_tokens: Sequence[tuple[str, int]] = ()  # of the latest redrives: client token and time
    parent_arn: str | None = None  # of a Map Run's child, or of a nested execution
    map_run_arn: str | None = None
    map_item: Json = None
    branches: dict[int, Branch] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)  # ids of branches that a store has yet to write
    removed: set[int] = field(default_factory=set)
