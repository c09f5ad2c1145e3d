"""The functions are found by their folders, and what each needs by its imports."""

from pathlib import Path

import pytest

from deploy.packages import closure
from deploy.packages.functions import FUNCTIONS, FUNCTIONS_BY_NAME, Function, find_functions


def test_the_functions_have_the_groups_of_what_they_import() -> None:
    without = {one.name: one.group for one in FUNCTIONS if not one.needs_database}

    assert (
        without.items()
        >= {
            "dispatch_tasks": "lambdas",
            "inspect_file": "media-functions",
            "make_thumbnails": "media-functions",
            "send_email": "lambdas",
        }.items()
    )
    assert {one.group for one in FUNCTIONS if one.needs_database} == {"database-functions"}


@pytest.mark.parametrize(
    ("module", "group"),
    [
        ("import json", "lambdas"),
        ("from django.db import models", "database-functions"),
        ("def later():\n    from lambdas.count_sheep.flock import Flock", "database-functions"),
        ("from lambdas.shared.decoding.decoder import Decoder", "media-functions"),
    ],
)
def test_a_new_function_is_found_and_needs_what_its_imports_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, group: str
) -> None:
    folder = tmp_path / "lambdas" / "count_sheep"
    folder.mkdir(parents=True)
    (folder / "handler.py").write_text(module)
    (folder / "flock.py").write_text("from django.apps import apps")
    (tmp_path / "lambdas" / "no_handler").mkdir()
    monkeypatch.setattr(closure, "SOURCE_ROOTS", (tmp_path, *closure.SOURCE_ROOTS))
    monkeypatch.setattr(closure, "source_of", closure.source_of.__wrapped__)

    [function] = find_functions(tmp_path / "lambdas")

    assert (function.name, function.group) == ("count_sheep", group)
    assert (function.resource, function.handler_module) == ("CountSheepFunction", "lambdas.count_sheep.handler")


def test_the_dispatcher_gets_the_catalog_s_files_and_nothing_of_the_backend() -> None:
    files = FUNCTIONS_BY_NAME["dispatch_tasks"].source_files()

    needed = {"workflows/django_tasks.json", "workflows/workflow_tasks.json", "qu_workflows/protocol/message.py"}
    assert needed <= files.keys()
    assert {name.partition("/")[0] for name in files} == {"lambdas", "workflows", "qu_workflows"}
    assert {name.split("/")[1] for name in files if name.startswith("qu_workflows/")} == {"__init__.py", "protocol"}
    assert not [name for name in files if name.startswith(("workflows/graphs/", "lambdas/make_thumbnails/"))]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.needs_database], ids=lambda function: function.name)
def test_a_function_with_a_database_gets_django_without_the_web(function: Function) -> None:
    files = function.source_files()

    assert {"config/functions.py", "core/models.py", "reports/models.py"} <= files.keys()
    assert "qu_workflows/records/models.py" in files
    assert [name for name in files if name.startswith("templates/emails/")]
    assert [name for name in files if name.endswith("/es/LC_MESSAGES/django.mo")]
    assert not files.keys() & {"config/settings.py", "config/urls.py", "core/admin.py", "reports/views.py"}
    assert not [name for name in files if "/management/" in name or "/migrations/" in name or "/tests/" in name]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_carries_no_other_function(function: Function) -> None:
    folders = {
        name.split("/")[1] for name in function.source_files() if name.startswith("lambdas/") and name.count("/") > 1
    }

    assert folders <= {function.name, "shared"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_no_function_carries_the_engine_nor_what_django_runs_itself(function: Function) -> None:
    names = [str(name) for name in function.source_files()]

    assert not [name for name in names if name.startswith(("asl_engine", "workflows/engine", "lambdas/in_process"))]
    assert "qu_workflows/tasks/without_queue.py" not in names
