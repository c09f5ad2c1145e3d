"""manage.py gets the settings of the running stack, and no others."""

import os
import sys
from pathlib import Path

import pytest

from deploy.local import manage
from deploy.local.manage import NotRunning, environment_of_stack
from deploy.local.stack import only_one


def test_the_settings_of_a_running_stack_are_read(tmp_path: Path) -> None:
    with only_one(tmp_path):
        (tmp_path / "stack.env").write_text("DATABASE_URL='postgres://a b'\nPUBLIC_URL=http://127.0.0.1:8000\n")

        assert environment_of_stack(tmp_path) == {
            "DATABASE_URL": "postgres://a b",
            "PUBLIC_URL": "http://127.0.0.1:8000",
        }


def test_a_stopped_stack_s_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_text("PUBLIC_URL=http://127.0.0.1:8000\n")

    with pytest.raises(NotRunning, match="Start it with make up"):
        environment_of_stack(tmp_path)


def test_the_process_becomes_manage_py_with_these_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(manage, "LOCAL_DIR", tmp_path)
    monkeypatch.setattr(os, "execve", lambda *arguments: called.append(arguments))
    with only_one(tmp_path):
        (tmp_path / "stack.env").write_text("PUBLIC_URL=http://127.0.0.1:8000\n")
        manage.main(["tasks", "run", "custom_processing"])

    [(program, arguments, environment)] = called
    assert (program, arguments[1:]) == (sys.executable, [str(manage.MANAGE), "tasks", "run", "custom_processing"])
    assert environment["PUBLIC_URL"] == "http://127.0.0.1:8000"
