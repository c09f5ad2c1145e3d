"""Compiles a checked definition into a Program."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from asl_engine.definition.program import (
    Catcher,
    ChoiceRule,
    ChoiceState,
    FailState,
    ItemBatcher,
    ItemReader,
    MapState,
    ParallelState,
    PassState,
    Program,
    ResultWriter,
    Retrier,
    State,
    StateType,
    SucceedState,
    TaskState,
    WaitState,
)
from asl_engine.jsontext import Json
from asl_engine.language.choices import compile_rule
from asl_engine.language.env import Evaluator, Expression
from asl_engine.language.intrinsics import compile_intrinsic
from asl_engine.language.jsonata import compile_jsonata
from asl_engine.language.jsonpath import CompiledPath, compile_path
from asl_engine.language.templates import compile_dynamic_field, compile_template, constant, is_jsonata, jsonata_of


def speaks_jsonata(node: dict[str, Json], inherited: bool) -> bool:
    """Return whether a machine's or state's query language is JSONata."""
    language = node.get("QueryLanguage")
    return inherited if language is None else bool(language == "JSONata")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object of a definition, compiled by its query language."""

    node: dict[str, Json]
    jsonata: bool
    machine_jsonata: bool = False
    at: str = ""  # prefix of a field's name in AWS's causes

    def template(self, name: str) -> Expression | None:
        """Return the field as a template, None if it is missing."""
        return compile_template(self.node[name], self.jsonata, f"{self.at}{name}") if name in self.node else None

    def path(self, name: str) -> CompiledPath | None:
        """Return a path, None if it is missing, null or the whole document."""
        text = self.node.get(name)
        return None if text is None or text == "$" else compile_path(text)

    def discards(self, name: str) -> bool:
        """Return whether the field is an explicit null."""
        return name in self.node and self.node[name] is None

    def value(self, name: str) -> Expression | None:
        """Return the expression of a field: a literal, ``NamePath``, or JSONata in ``Name``."""
        value: Json = self.node.get(name)
        if self.jsonata and is_jsonata(value):
            return compile_jsonata(jsonata_of(value), f"{self.at}{name}")
        path = None if self.jsonata else self.node.get(f"{name}Path")
        if isinstance(path, str):
            return compile_intrinsic(path) if path.startswith("States.") else compile_path(path)
        return None if value is None else constant(value)

    def text(self, name: str) -> Expression | None:
        """Return the expression of a Fail's field, whose path fails as a template's."""
        path = f"{name}Path"
        if self.jsonata or path not in self.node:
            return self.value(name)
        return Evaluator(compile_dynamic_field(path, self.node[path]))


def compile_program(definition: dict[str, Json], *, jsonata: bool = False) -> Program:
    """Compile a definition without errors; ``jsonata`` is inherited from the machine around it.

    States of a branch or an item processor inherit the machine's query language, not that of the state
    around them. https://states-language.net/spec.html#query-language
    """
    jsonata = speaks_jsonata(definition, jsonata)
    return Program(
        start_at=definition["StartAt"],
        states={name: compile_state(name, node, jsonata=jsonata) for name, node in definition["States"].items()},
        timeout_seconds=definition.get("TimeoutSeconds"),
        raw=definition,
    )


def compile_state(name: str, node: dict[str, Json], *, jsonata: bool = False) -> State:
    """Compile one state; ``jsonata`` is the query language of the machine it is in."""
    fields = Fields(node, speaks_jsonata(node, jsonata), machine_jsonata=jsonata)
    kind = StateType(node["Type"])
    return _COMPILERS[kind](fields, {"name": name, "type": kind, "raw": node, **_common(fields)})


def _common(fields: Fields) -> dict[str, Any]:
    node, jsonata = fields.node, fields.jsonata
    common = {
        "jsonata": jsonata,
        "next": node.get("Next"),
        "assign": fields.template("Assign"),
        "retry": tuple(map(_retrier, node.get("Retry") or ())),
        "catch": tuple(map(_catcher, _entries(fields, "Catch"))),
    }
    if jsonata:
        return common | {"parameters": fields.template("Arguments"), "output": fields.template("Output")}
    return common | {
        "input_path": fields.path("InputPath"),
        "discard_input": fields.discards("InputPath"),
        "output_path": fields.path("OutputPath"),
        "discard_output": fields.discards("OutputPath"),
        "parameters": fields.template("Parameters"),
        "result_selector": fields.template("ResultSelector"),
        "result_path": fields.path("ResultPath"),
        "discard_result": fields.discards("ResultPath"),
    }


def _entries(fields: Fields, name: str) -> Iterator[Fields]:
    for index, entry in enumerate(fields.node.get(name) or ()):
        yield Fields(entry, fields.jsonata, at=f"{name}[{index}]/")


def _retrier(entry: dict[str, Json]) -> Retrier:
    return Retrier(
        error_equals=tuple(entry["ErrorEquals"]),
        interval_seconds=entry.get("IntervalSeconds", 1),
        max_attempts=entry.get("MaxAttempts", 3),
        backoff_rate=entry.get("BackoffRate", 2.0),
        max_delay_seconds=entry.get("MaxDelaySeconds"),
        jitter=entry.get("JitterStrategy") == "FULL",
    )


def _catcher(fields: Fields) -> Catcher:
    return Catcher(
        error_equals=tuple(fields.node["ErrorEquals"]),
        next=fields.node["Next"],
        result_path=fields.path("ResultPath"),
        discard=fields.discards("ResultPath"),
        assign=fields.template("Assign"),
        output=fields.template("Output") if fields.jsonata else None,
    )


def _pass(fields: Fields, common: dict[str, Any]) -> State:
    return PassState(**common, result=fields.node.get("Result"), has_result="Result" in fields.node)


def _task(fields: Fields, common: dict[str, Any]) -> State:
    return TaskState(
        **common,
        resource=fields.node["Resource"],
        credentials=fields.template("Credentials"),
        timeout=fields.value("TimeoutSeconds"),
        heartbeat=fields.value("HeartbeatSeconds"),
    )


def _choice(fields: Fields, common: dict[str, Any]) -> State:
    rules = tuple(map(_choice_rule, _entries(fields, "Choices")))
    return ChoiceState(**common, choices=rules, default=fields.node.get("Default"))


def _choice_rule(fields: Fields) -> ChoiceRule:
    return ChoiceRule(
        condition=compile_rule(fields.node, fields.jsonata, f"{fields.at}Condition"),
        next=fields.node["Next"],
        assign=fields.template("Assign"),
        output=fields.template("Output") if fields.jsonata else None,
    )


def _parallel(fields: Fields, common: dict[str, Any]) -> State:
    branches = (compile_program(branch, jsonata=fields.machine_jsonata) for branch in fields.node["Branches"])
    return ParallelState(**common, branches=tuple(branches))


def _map(fields: Fields, common: dict[str, Any]) -> State:
    node = fields.node
    processor: dict[str, Json] = node["ItemProcessor" if "ItemProcessor" in node else "Iterator"]
    config = processor.get("ProcessorConfig") or {}
    legacy_parameters = not fields.jsonata and "ItemSelector" not in node and "Parameters" in node
    if legacy_parameters:  # the older name of ItemSelector: it is applied to each item, not to the state's input
        common = common | {"parameters": None}
    return MapState(
        **common,
        processor=compile_program(processor, jsonata=fields.machine_jsonata),
        distributed=config.get("Mode") == "DISTRIBUTED",
        express_children=config.get("ExecutionType") == "EXPRESS",
        label=node.get("Label"),
        items_path=None if fields.jsonata else fields.path("ItemsPath"),
        items=fields.template("Items") if fields.jsonata else None,
        item_selector=fields.template("Parameters" if legacy_parameters else "ItemSelector"),
        item_reader=_item_reader(fields),
        item_batcher=_item_batcher(fields),
        result_writer=_result_writer(fields),
        max_concurrency=fields.value("MaxConcurrency"),
        tolerated_failure_count=fields.value("ToleratedFailureCount"),
        tolerated_failure_percentage=fields.value("ToleratedFailurePercentage"),
    )


def _within(fields: Fields, name: str) -> Fields | None:
    node = fields.node.get(name)
    return None if node is None else Fields(node, fields.jsonata, at=f"{fields.at}{name}/")


def _item_reader(fields: Fields) -> ItemReader | None:
    reader = _within(fields, "ItemReader")
    if reader is None:
        return None
    config = _within(reader, "ReaderConfig")
    return ItemReader(
        resource=reader.node["Resource"],
        parameters=reader.template("Arguments" if fields.jsonata else "Parameters"),
        config=config.node if config else None,
        max_items=config.value("MaxItems") if config else None,
    )


def _item_batcher(fields: Fields) -> ItemBatcher | None:
    batcher = _within(fields, "ItemBatcher")
    if batcher is None:
        return None
    return ItemBatcher(
        batch_input=batcher.template("BatchInput"),
        max_items=batcher.value("MaxItemsPerBatch"),
        max_bytes=batcher.value("MaxInputBytesPerBatch"),
    )


def _result_writer(fields: Fields) -> ResultWriter | None:
    writer = _within(fields, "ResultWriter")
    if writer is None:
        return None
    return ResultWriter(
        resource=writer.node.get("Resource"),
        parameters=writer.template("Arguments" if fields.jsonata else "Parameters"),
        config=writer.node.get("WriterConfig"),
    )


_COMPILERS: dict[StateType, Callable[[Fields, dict[str, Any]], State]] = {
    StateType.PASS: _pass,
    StateType.TASK: _task,
    StateType.CHOICE: _choice,
    StateType.WAIT: lambda fields, common: WaitState(
        **common, seconds=fields.value("Seconds"), timestamp=fields.value("Timestamp")
    ),
    StateType.SUCCEED: lambda _fields, common: SucceedState(**common),
    StateType.FAIL: lambda fields, common: FailState(**common, error=fields.text("Error"), cause=fields.text("Cause")),
    StateType.PARALLEL: _parallel,
    StateType.MAP: _map,
}
