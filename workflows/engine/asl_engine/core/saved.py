"""Executions as they are saved: rows of JSON, and back.

A row leaves out what has its default, so that a new field costs old rows nothing and is its default in
them. ``v`` is the format: one is raised when a row of before can no longer be read as it is, and then
``_migrated`` learns to read it. tests/histories keeps saved rows of every format, which must resume.
"""

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

from asl_engine.core.execution import Branch, Execution, Phase, Status
from asl_engine.core.map_run import BatchSettings, MapRunSettings
from asl_engine.jsontext import Json

VERSION = 1

type Row = dict[str, Json]


def _defaults(kind: type[Any], left_out: frozenset[str]) -> tuple[tuple[str, Any], ...]:
    return tuple((one.name, _default_of(one)) for one in fields(kind) if one.name not in left_out)


def _default_of(one: Field[Any]) -> Any:
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else MISSING


_BRANCH = _defaults(Branch, frozenset({"input_text", "before_entered_id", "phase", "route", "retries"}))
_EXECUTION = _defaults(
    Execution, frozenset({"input", "output", "output_text", "branches", "changed", "removed", "status"})
)


def branch_to_row(branch: Branch) -> Row:
    """Return a branch as JSON."""
    row: Row = {"v": VERSION, "phase": branch.phase.value}
    for name, default in _BRANCH:
        value = getattr(branch, name)
        if default is MISSING or (value is not default and value != default):
            row[name] = value
    if branch.route:
        row["route"] = [[name, number] for name, number in branch.route]
    if branch.retries:
        row["retries"] = [[index, count] for index, count in branch.retries.items()]
    return row


def branch_from_row(row: Row) -> Branch:
    """Return the branch that a row holds."""
    values = _migrated(row)
    values["phase"] = Phase(values["phase"])
    values["route"] = tuple((name, number) for name, number in values.get("route", ()))
    values["retries"] = dict(values.get("retries", ()))
    return Branch(**values)


def execution_to_row(execution: Execution) -> Row:
    """Return an execution's header as JSON: all but its branches, and its input and output, which are kept apart."""
    row: Row = {"v": VERSION, "status": execution.status.value}
    for name, default in _EXECUTION:
        value = getattr(execution, name)
        if default is MISSING or value is not default:
            row[name] = value
    return row


def execution_from_row(row: Row, input: Json, branches: Iterable[Row]) -> Execution:  # noqa: A002  its name everywhere
    """Return the execution that a header's row, its input and its branches' rows hold."""
    values = _migrated(row)
    values["status"] = Status(values["status"])
    execution = Execution(**values, input=input)
    for branch in map(branch_from_row, branches):
        execution.branches[branch.id] = branch
    execution.branches = dict(sorted(execution.branches.items()))
    return execution


def map_run_to_row(settings: MapRunSettings) -> Row:
    """Return a Map Run's settings as JSON."""
    row: Row = {one.name: getattr(settings, one.name) for one in fields(MapRunSettings)}
    batcher = settings.batcher
    row["batcher"] = batcher and {one.name: getattr(batcher, one.name) for one in fields(BatchSettings)}
    return row | {"v": VERSION, "route": [[name, number] for name, number in settings.route]}


def map_run_from_row(row: Row) -> MapRunSettings:
    """Return the settings that a row holds."""
    values = _migrated(row)
    values["route"] = tuple((name, number) for name, number in values["route"])
    values["batcher"] = values["batcher"] and BatchSettings(**values["batcher"])
    return MapRunSettings(**values)


def _migrated(row: Row) -> Row:
    """Return the row's values in today's format. Raises ValueError for a format of a later version."""
    if row["v"] > VERSION:
        raise ValueError(
            f"A row of format {row['v']} was saved by a later version of the engine; this one reads formats "
            f"up to {VERSION}. Run the version that saved it, or start with a new store."
        )
    return {name: value for name, value in row.items() if name != "v"}
