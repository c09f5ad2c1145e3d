"""``run``: one execution in this process, to its end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from asl_engine.adapters.functions import Function, FunctionPerformer
from asl_engine.adapters.performer import Performer
from asl_engine.clock import Clock, SystemClock
from asl_engine.core.history import HistoryEvent
from asl_engine.definition import load
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner import Runner
from asl_engine.store.memory import MemoryStore
from asl_engine.store.records import ExecutionRecord, Save

_PLACE = "arn:aws:states:us-east-1:000000000000"


@dataclass(frozen=True, slots=True)
class Result:
    """The end of an execution. ``output`` is a JSON value, None unless ``status`` is SUCCEEDED."""

    status: str
    output: Json
    error: str | None
    cause: str | None
    history: list[HistoryEvent] = field(repr=False)

    @property
    def path(self) -> list[str]:
        """The names of the entered states in order, with those of branches and iterations."""
        return [event.details["name"] for event in self.history if event.type.endswith("StateEntered")]


def run(
    definition: str | Mapping[str, Json],
    input: Json = None,  # noqa: A002  AWS's word for it
    tasks: Mapping[str, Function] | None = None,
    *,
    clock: Clock | None = None,
    performer: Performer | None = None,
    name: str = "run",
    state_machine: str = "state-machine",
    on_event: Callable[[HistoryEvent], None] | None = None,
) -> Result:
    """Run an execution of a definition (text or JSON value) and return its result.

    All runs in the calling thread, one task after the other, and nothing is stored. ``tasks`` are functions by Lambda
    function name, ARN or Resource; an exception fails its task by the class's name. ``performer`` performs all tasks
    instead. ``clock`` is by default the machine's; SkippingClock() skips waiting. ``input`` None is {}. ``on_event``
    gets each event of the history. Raises DefinitionRefused, and ExecutionStalled if no task can end a task token.
    """
    text = definition if isinstance(definition, str) else dumps(dict(definition))
    load(text)
    clock = clock or SystemClock()
    performer = performer or FunctionPerformer(tasks or {})
    runner = Runner(_ObservedStore(on_event), performer, clock=clock, workers=0, performs_activities=True)
    record = ExecutionRecord(
        arn=f"{_PLACE}:execution:{state_machine}:{name}",
        state_machine_arn=f"{_PLACE}:stateMachine:{state_machine}",
        name=name,
        input=dumps({} if input is None else input),
        definition="",
        start_ms=clock.now_ms(),
    )
    runner.start(record, text)
    return result_of(runner, runner.closed(record.arn))


class _ObservedStore(MemoryStore):
    """A store that passes each saved event to ``on_event``."""

    def __init__(self, on_event: Callable[[HistoryEvent], None] | None) -> None:
        super().__init__()
        self._on_event = on_event

    def save(self, saves: Sequence[Save]) -> list[ExecutionRecord | None]:
        """Save, and pass the events on."""
        for event in (event for save in saves for event in save.history):
            if self._on_event is not None:
                self._on_event(event)
        return super().save(saves)


def result_of(runner: Runner, record: ExecutionRecord) -> Result:
    """Return the result of a closed execution in the runner's store."""
    output = None if record.output is None else loads(record.output)
    history = runner.store.history(record.arn, limit=runner.store.history_length(record.arn))
    return Result(record.status, output, record.error, record.cause, history)
