"""Conversion of executions to JSON rows and back.

A row omits fields with their default, so old rows need no change when a field is added. ``v`` is the format: raise
it when old rows become unreadable, and teach ``_migrated`` the old one. tests/histories keeps rows of every format,
which must resume.
"""

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from typing import Any

from asl_engine.core.execution import Branch, Execution, Phase, Status
from asl_engine.core.map_run import BatchSettings, MapRunSettings
from asl_engine.jsontext import Json

VERSION = 1

type Row = dict[str, Json]


def _defaults(kind: type[Any], omitted: set[str]) -> list[tuple[str, Any]]:
    return [(one.name, _default_of(one)) for one in fields(kind) if one.name not in omitted]


def _default_of(one: Field[Any]) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


_BRANCH = _defaults(Branch, {"input_text", "before_entered_id", "phase", "route", "retries"})
_EXECUTION = _defaults(Execution, {"input", "output", "output_text", "branches", "changed", "removed", "status"})


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
    """Return the branch of a row."""
    values = _migrated(row)
    values["phase"] = Phase(values["phase"])
    values["route"] = tuple((name, number) for name, number in values.get("route", ()))
    values["retries"] = dict(values.get("retries", ()))
    return Branch(**values)


def execution_to_row(execution: Execution) -> Row:
    """Return an execution's header as JSON, without branches, input and output."""
    row: Row = {"v": VERSION, "status": execution.status.value}
    for name, default in _EXECUTION:
        value = getattr(execution, name)
        if default is MISSING or value is not default:
            row[name] = value
    return row


def execution_from_row(row: Row, input: Json, branches: Iterable[Row]) -> Execution:  # noqa: A002  its name everywhere
    """Return the execution of a header's row, an input and branches' rows."""
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
    """Return a Map Run's settings of a row."""
    values = _migrated(row)
    values["route"] = tuple((name, number) for name, number in values["route"])
    values["batcher"] = values["batcher"] and BatchSettings(**values["batcher"])
    return MapRunSettings(**values)


def _migrated(row: Row) -> Row:
    """Return a row's values in the current format. Raises ValueError for a later one."""
    if row["v"] > VERSION:
        raise ValueError(
            f"The store has a row of format {row['v']}, saved by a later version of the engine; this version reads "
            f"formats up to {VERSION}. Run the version that saved it, or start with a new store."
        )
    return {name: value for name, value in row.items() if name != "v"}
