"""The functions are found by their folders, and what each needs by its imports."""

from pathlib import Path

import pytest

from deploy.packages import closure
from deploy.packages.functions import FUNCTIONS, find_functions


def test_the_functions_have_the_groups_of_what_they_import() -> None:
    without = {one.name: one.group for one in FUNCTIONS if not one.needs_database}

    assert without == {
        "dispatch_tasks": "lambdas",
        "inspect_file": "media-functions",
        "make_thumbnails": "media-functions",
        "send_email": "lambdas",
    }
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
