"""When a recorded task runs in this process: after the commit, beside the request or before the call returns.

IN_PROCESS_WORKFLOWS says which: ``thread``, so that no request waits; or ``inline``, so that
a test or a script sees the end. How it runs is in ``executions.in_process``.
"""

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

from django.conf import settings
from django.db import connection, transaction

from executions.background import background
from executions.models import TaskRecord

THREAD, INLINE = "thread", "inline"


def run_after_commit(records: Sequence[TaskRecord]) -> None:
    """Run recorded tasks once the transaction commits, or at once outside of one."""
    if records:
        transaction.on_commit(partial(_start, [record.pk for record in records]), robust=True)


def refresh_if_run(records: Sequence[TaskRecord]) -> None:
    """Read records again that have run by now, if tasks run before the call returns."""
    if not settings.USE_ASYNC_TASKS and settings.IN_PROCESS_WORKFLOWS == INLINE and not connection.in_atomic_block:
        for record in records:
            record.refresh_from_db()


def _start(task_ids: Sequence[str]) -> None:
    for task_id in task_ids:
        if settings.IN_PROCESS_WORKFLOWS == INLINE:
            _run(task_id)
        else:
            if not background.has_begun:
                background.do(lambda: _in_process().run_abandoned())
            background.do(partial(_run, task_id))


def _run(task_id: str) -> None:
    _in_process().run_recorded(task_id)


def _in_process() -> ModuleType:
    # By its name, so that the packages of the functions are without the engine: they never come here.
    return import_module("executions.in_process")
