import getpass
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, transaction

from deploy.local.postgres import database_url
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused
from qu_workflows.records.audit import audited, command_actor, new_batch
from qu_workflows.records.models import AuditAction, AuditEntry

STOP = AuditAction.STOP_EXECUTION


def rows() -> list[tuple[str, str, str, str, str]]:
    return list(AuditEntry.objects.values_list("actor", "action", "target", "outcome", "message"))


@pytest.mark.django_db
def test_an_act_is_written_before_it_is_done_and_completed_after_it() -> None:
    batch = new_batch()
    with audited("ana", STOP, "one", batch, {"reason": "wrong report"}) as entry:
        assert rows() == [("ana", "stop_execution", "one", "started", "")]
        entry.message = "stopped"
        entry.details["stopped_at"] = "2026-01-01"

    assert rows() == [("ana", "stop_execution", "one", "done", "stopped")]
    kept = AuditEntry.objects.get()
    assert (kept.batch, kept.details) == (batch, {"reason": "wrong report", "stopped_at": "2026-01-01"})


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (OperationRefused("one", "has ended.", "Restart it."), "refused", "one: has ended. Restart it."),
        (OperationFailed("one", "AWS is away.", "Try again."), "failed", "one: AWS is away. Try again."),
        (ValueError(), "failed", "ValueError"),
    ],
)
def test_what_was_refused_or_failed_is_written_with_what_was_said(error: Exception, outcome: str, message: str) -> None:
    with pytest.raises(type(error)), audited("ana", STOP, "one"):
        raise error

    assert rows() == [("ana", "stop_execution", "one", outcome, message)]


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_nothing_is_begun() -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic(), audited("ana", STOP, "one"):
        pytest.fail("the act was begun")

    assert rows() == []


@pytest.mark.django_db(transaction=True)
def test_a_process_killed_in_the_middle_leaves_the_entry_started() -> None:
    code = (
        "import os, signal, django; django.setup()\n"
        "from qu_workflows.records.audit import audited\n"
        f"with audited('ana', '{STOP.value}', 'one'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    database = connection.settings_dict
    url = database_url(Path(database["HOST"]), database["NAME"])
    paths = os.pathsep.join([str(path) for path in sys.path if path])

    killed = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": paths}, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert rows() == [("ana", "stop_execution", "one", "started", "")]


def test_a_command_has_the_users_or_the_given_actor() -> None:
    assert command_actor() == f"{getpass.getuser()}@{socket.gethostname()}"
    assert command_actor("ana") == f"ana@{socket.gethostname()}"
    with pytest.raises(OperationRefused, match="--as: is over"):
        command_actor("x" * 150)


def test_a_batch_is_a_uuid_of_its_own() -> None:
    assert isinstance(new_batch(), UUID)
    assert new_batch() != new_batch()
