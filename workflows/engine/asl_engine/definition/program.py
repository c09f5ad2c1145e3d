"""Compiled definitions, which the core runs. Programs are frozen and shared by executions."""

from dataclasses import dataclass, field
from enum import StrEnum

from asl_engine.jsontext import Json
from asl_engine.language.choices import Holds
from asl_engine.language.env import Expression
from asl_engine.language.jsonpath import CompiledPath


class StateType(StrEnum):
    """The eight types of state."""

    TASK = "Task"
    PASS = "Pass"  # noqa: S105  the name of a type of state
    CHOICE = "Choice"
    WAIT = "Wait"
    SUCCEED = "Succeed"
    FAIL = "Fail"
    PARALLEL = "Parallel"
    MAP = "Map"


RETRIED_TYPES = frozenset({StateType.TASK, StateType.PARALLEL, StateType.MAP})  # may have a Retry


@dataclass(frozen=True, slots=True)
class Retrier:
    """One entry of Retry. Times in seconds; ``jitter`` is JitterStrategy FULL."""

    error_equals: tuple[str, ...]
    interval_seconds: float = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: float | None = None
    jitter: bool = False


@dataclass(frozen=True, slots=True)
class Catcher:
    """One entry of Catch. ``result_path`` None means "$"; ``discard`` is ResultPath null."""

    error_equals: tuple[str, ...]
    next: str
    result_path: CompiledPath | None = None
    discard: bool = False
    assign: Expression | None = None
    output: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The fields of every type of state, None for a missing one.

    A number or text that may be a literal, a path or JSONata is always an expression. A path of None is "$",
    the ``discard_…`` flags are an explicit null. ``parameters`` is JSONPath's Parameters or JSONata's Arguments,
    ``raw`` the state's JSON.
    """

    name: str
    type: StateType
    jsonata: bool
    raw: Json = field(repr=False)
    next: str | None = None
    input_path: CompiledPath | None = None
    discard_input: bool = False
    output_path: CompiledPath | None = None
    discard_output: bool = False
    parameters: Expression | None = None
    result_selector: Expression | None = None
    result_path: CompiledPath | None = None
    discard_result: bool = False
    assign: Expression | None = None
    output: Expression | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassState(State):
    """Pass. ``has_result`` distinguishes a Result of null from a missing one."""

    result: Json = None
    has_result: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState(State):
    """Task. Times in seconds."""

    resource: str
    timeout: Expression | None = None
    heartbeat: Expression | None = None
    credentials: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRule:
    """One entry of Choices."""

    condition: Holds
    next: str
    assign: Expression | None = None
    output: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceState(State):
    """Choice."""

    choices: tuple[ChoiceRule, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitState(State):
    """Wait. Exactly one of the two is set."""

    seconds: Expression | None = None
    timestamp: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SucceedState(State):
    """Succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailState(State):
    """Fail."""

    error: Expression | None = None
    cause: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelState(State):
    """Parallel."""

    branches: tuple["Program", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReader:
    """The source of a distributed Map's items."""

    resource: str
    parameters: Expression | None = None
    config: Json = None
    max_items: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemBatcher:
    """The batching of items into one child's input."""

    batch_input: Expression | None = None
    max_items: Expression | None = None
    max_bytes: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultWriter:
    """The destination of a distributed Map's results."""

    resource: str | None = None
    parameters: Expression | None = None
    config: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapState(State):
    """Map. ``item_selector`` is ItemSelector or its older form, Parameters."""

    processor: "Program"
    distributed: bool = False
    express_children: bool = False
    label: str | None = None
    items_path: CompiledPath | None = None
    items: Expression | None = None
    item_selector: Expression | None = None
    item_reader: ItemReader | None = None
    item_batcher: ItemBatcher | None = None
    result_writer: ResultWriter | None = None
    max_concurrency: Expression | None = None
    tolerated_failure_count: Expression | None = None
    tolerated_failure_percentage: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A set of states with one entrance: a definition, a branch or an item processor."""

    start_at: str
    states: dict[str, State]
    timeout_seconds: int | None = None
    raw: Json = field(default=None, repr=False)
