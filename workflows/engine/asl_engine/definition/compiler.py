"""A checked definition made into a Program."""

from collections.abc import Callable
from typing import Any

from asl_engine.definition.fields import Fields, compile_catchers, compile_retriers, speaks_jsonata
from asl_engine.definition.program import (
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
    State,
    StateType,
    SucceedState,
    TaskState,
    WaitState,
)
from asl_engine.jsontext import Json
from asl_engine.language.choices import compile_rule


def compile_program(definition: dict[str, Json], *, jsonata: bool = False) -> Program:
    """Compile a definition that check() passes. ``jsonata`` is the machine's query language, for a part of one.

    The states of a branch or an item processor have the machine's query language where they name none: that
    of the state around them does not count. https://states-language.net/spec.html#query-language
    """
    jsonata = speaks_jsonata(definition, jsonata)
    return Program(
        start_at=definition["StartAt"],
        states={name: compile_state(name, node, jsonata=jsonata) for name, node in definition["States"].items()},
        timeout_seconds=definition.get("TimeoutSeconds"),
        comment=definition.get("Comment"),
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
        "retry": compile_retriers(node),
        "catch": compile_catchers(node, jsonata),
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
    entries = enumerate(fields.node["Choices"])
    rules = (_choice_rule(Fields(rule, fields.jsonata, at=f"Choices[{index}]/")) for index, rule in entries)
    return ChoiceState(**common, choices=tuple(rules), default=fields.node.get("Default"))


def _choice_rule(fields: Fields) -> ChoiceRule:
    return ChoiceRule(
        condition=compile_rule(fields.node, fields.jsonata, f"{fields.at}Condition"),
        next=fields.node["Next"],
        assign=fields.template("Assign"),
        output=fields.template("Output") if fields.jsonata else None,
    )


def _wait(fields: Fields, common: dict[str, Any]) -> State:
    return WaitState(**common, seconds=fields.value("Seconds"), timestamp=fields.value("Timestamp"))


def _succeed(_fields: Fields, common: dict[str, Any]) -> State:
    return SucceedState(**common)


def _fail(fields: Fields, common: dict[str, Any]) -> State:
    return FailState(**common, error=fields.value("Error"), cause=fields.value("Cause"))


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
    StateType.WAIT: _wait,
    StateType.SUCCEED: _succeed,
    StateType.FAIL: _fail,
    StateType.PARALLEL: _parallel,
    StateType.MAP: _map,
}
