"""When a recorded task runs in this process: after the commit, beside the request or before the call returns.

IN_PROCESS_WORKFLOWS says which: ``thread``, so that no request waits; or ``inline``, so that
a test or a script sees the end. How it runs is in the module that
IN_PROCESS_RUNNER names: only the web process and the commands have one, so that the packages of the
functions are without the engine.
"""

import logging
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from types import ModuleType

from django.conf import settings
from django.db import connection, transaction

from qu_workflows.records.models import TaskRecord
from qu_workflows.tasks.background import background

THREAD, INLINE = "thread", "inline"

logger = logging.getLogger(__name__)


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
    if not settings.IN_PROCESS_RUNNER:
        logger.warning("%d tasks stay recorded: this process runs none itself", len(task_ids))
        return
    for task_id in task_ids:
        if settings.IN_PROCESS_WORKFLOWS == INLINE:
            _run(task_id)
        else:
            if not background.has_begun:
                background.do(run_abandoned)
            background.do(partial(_run_beside, task_id))


def run_abandoned() -> None:
    """Run the workflows that a process of this machine left unfinished when it died."""
    for task_id in _in_process().take_up_abandoned():
        _run_beside(task_id)


def _run_beside(task_id: str) -> None:
    """Run a task in this thread of the background; one that may wait for days in a thread of its own."""
    if _in_process().waits_for_somebody(task_id):
        background.do_aside(partial(_run, task_id))
    else:
        _run(task_id)


def _run(task_id: str) -> None:
    _in_process().run_recorded(task_id)


def _in_process() -> ModuleType:
    return import_module(settings.IN_PROCESS_RUNNER)
