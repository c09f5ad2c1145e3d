"""Properties of every state machine and every order of events."""

from collections import Counter
from functools import partial
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asl_engine.core.events import Redrive, Start, Stop
from asl_engine.core.execution import Status
from asl_engine.jsontext import Json, dumps
from tests.workflows.engine.core.drive import Drive, Failure, machine, task

type States = list[tuple[str, dict[str, Json]]]

_PATH_OF_ITEM = {"of.$": "$$.Map.Item.Index"}
_RETRY = [{"ErrorEquals": ["Once"], "IntervalSeconds": 3}]


def _leaf(kind: str, name: str) -> dict[str, Json]:
    match kind:
        case "pass":
            return {"Type": "Pass", "Parameters": {"was.$": "$", "at": name}}
        case "wait":
            return {"Type": "Wait", "Seconds": len(name)}
        case "assign":
            return {"Type": "Pass", "Assign": {f"v{name}": name}}
        case "retried":
            return task(Retry=_RETRY, ResultPath=None)
        case _:
            return task(ResultSelector={"r.$": "$"})


def _machine(shape: Any, name: str) -> dict[str, Json]:
    """Return the definition of a shape: a list of leaves and of lists of shapes."""
    states: States = []
    for number, part in enumerate(shape):
        own = f"{name}{number}"
        if isinstance(part, str):
            states.append((own, _leaf(part, own)))
        elif len(part) == 1:
            each = _machine(part[0], f"{own}m")
            states.append(
                (
                    own,
                    {
                        "Type": "Map",
                        "ItemsPath": "$$.Execution.Input.items",
                        "MaxConcurrency": 2,
                        "ItemProcessor": each,
                    },
                )
            )
        else:
            branches = [_machine(inner, f"{own}p{index}_") for index, inner in enumerate(part)]
            states.append((own, {"Type": "Parallel", "Branches": branches}))
    return machine(*states)


def _names(definition: dict[str, Json]) -> dict[str, dict[str, Json]]:
    found: dict[str, dict[str, Json]] = {}
    for name, state in definition["States"].items():
        found[name] = state
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            found |= _names(inner)
    return found


leaves = st.sampled_from(["pass", "wait", "assign", "task", "retried"])
shapes = st.recursive(
    st.lists(leaves, min_size=1, max_size=3),
    lambda inner: st.lists(leaves | st.lists(inner, min_size=1, max_size=3), min_size=1, max_size=3),
    max_leaves=8,
)
ITEMS: Json = {"items": [0, 1, 2]}


def answers(definition: dict[str, Json], *, failing: bool = True) -> dict[str, list[Any]]:
    """Return the answers of tasks, made of name and input; an error first if retried."""
    found: dict[str, list[Any]] = {}
    for name, state in _names(definition).items():
        if state["Type"] == "Task":
            first: list[Any] = [Failure("Once")] if failing and "Retry" in state else []
            found[name] = [*first, lambda given, name=name: [name, len(dumps(given))]]
    return found


@settings(max_examples=60, deadline=None)
@given(shapes, st.data())
def test_events_late_doubled_and_in_any_order_give_the_same_output(shape: Any, data: st.DataObject) -> None:
    definition = _machine(shape, "s")
    straight = Drive(definition, ITEMS, tasks=answers(definition, failing=False)).start()

    drive = Drive(definition, ITEMS, tasks=answers(definition, failing=False))
    drive.send(Start())
    for number in range(2000):
        if not drive.due:
            break
        position = data.draw(st.integers(0, min(len(drive.due), 5) - 1))
        # Bounded, because an event that is always kept is delivered forever.
        drive.deliver(position, again=number < 200 and data.draw(st.integers(0, 9)) == 9)

    assert drive.output == straight.output
    assert Counter(drive.types()) == Counter(straight.types())


@settings(max_examples=60, deadline=None)
@given(shapes)
def test_saving_and_loading_between_any_two_events_changes_nothing(shape: Any) -> None:
    definition = _machine(shape, "s")
    straight = Drive(definition, ITEMS, tasks=answers(definition)).start()

    drive = Drive(definition, ITEMS, tasks=answers(definition))
    drive.before_each = drive.reload
    drive.start()

    assert [_shown(event) for event in drive.history] == [_shown(event) for event in straight.history]
    assert drive.execution.branches == {}


def _shown(event: Any) -> tuple[Any, ...]:
    return (event.id, event.previous_id, event.type, event.at_ms, event.details)


@settings(max_examples=100, deadline=None)
@given(shapes, st.sets(st.integers(0, 30), max_size=5))
def test_a_redrive_after_a_failure_anywhere_runs_nothing_again_that_was_done(shape: Any, bad: set[int]) -> None:
    definition = _machine(shape, "s")
    straight = Drive(definition, ITEMS, tasks=answers(definition, failing=False)).start()

    numbers = count()

    def answer(name: str, given: Json) -> Json:
        if next(numbers) in bad:
            raise Failure("Bad")
        return [name, len(dumps(given))]

    drive = Drive(definition, ITEMS, tasks={name: [partial(answer, name)] for name in _names(definition)}).start()
    while drive.status is Status.FAILED:
        drive.send(Redrive())
        drive.run()

    assert drive.output == straight.output
    assert _finished(drive) == _finished(straight)


@settings(max_examples=100, deadline=None)
@given(shapes, st.lists(st.integers(0, 20), max_size=4))
def test_a_redrive_after_a_stop_anywhere_runs_nothing_again_that_was_done(shape: Any, stops: list[int]) -> None:
    definition = _machine(shape, "s")
    straight = Drive(definition, ITEMS, tasks=answers(definition, failing=False)).start()

    drive = Drive(definition, ITEMS, tasks=answers(definition, failing=False))
    drive.send(Start())
    for steps in stops:
        for _ in range(min(steps, len(drive.due))):
            drive.deliver(0)
            if not drive.due:
                break
        drive.send(Stop())
        drive.send(Redrive())  # what was due for the time before is late now
    drive.run()

    assert drive.output == straight.output
    assert _finished(drive) == _finished(straight)


def _finished(drive: Drive) -> Counter[str]:
    """Count the events of successful states, tasks and iterations."""
    return Counter(kind for kind in drive.types() if kind.endswith(("Succeeded", "Exited")))
