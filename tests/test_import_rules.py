"""The import rules apply to added functions and apps."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OWN_DATABASE = "Only steps with database=True in their NEEDS"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for folder in ("backend", "deploy", "lambdas", "workflows"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


def broken_rules(tree: Path, package: str, code: str) -> str:
    """Return the check's output for a tree with one more module in a new package."""
    module = tree / package / "handler.py"
    module.parent.mkdir()
    try:
        (module.parent / "__init__.py").touch()
        module.write_text(code)
        command = [sys.executable, str(ROOT / "tests" / "import_rules.py")]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(module.parent)
    broken = " ".join(done.stdout.partition("Broken contracts")[2].split())
    assert done.returncode == bool(broken), done.stdout + done.stderr
    return broken


@pytest.mark.parametrize("package", ["lambdas/fly_kite", "backend/kites"])
def test_a_new_folder_that_imports_nothing_breaks_no_rule(tree: Path, package: str) -> None:
    assert broken_rules(tree, package, "import json\n") == ""


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import django", OWN_DATABASE),
        ("from reports import services", OWN_DATABASE),
        ("from lambdas.shared.runtime.database import database_step", OWN_DATABASE),
        ("from qu_workflows.records import models", OWN_DATABASE),
        ("from lambdas.send_email import mime", "Functions do not import each other"),
        ("import PIL", "A function never decodes by itself"),
        ("from lambdas.shared.decoding import decoder", "Decoders of uploaded files live behind two functions"),
        ("from asl_engine import clock", "The functions run on AWS, and know no engine"),
        ("from asl_engine.core import redrive", "The engine's inside is imported by the engine alone"),
        ("from deploy import stages", "The functions do not import the deployment"),
        ("import stepfunctions", "stepfunctions is a tool of the workshop"),
    ],
)
def test_a_new_function_is_under_the_rules(tree: Path, code: str, rule: str) -> None:
    assert rule in broken_rules(tree, "lambdas/fly_kite", f"{code}\n")


def test_a_new_step_with_a_database_may_import_it(tree: Path) -> None:
    needs = "from lambdas.shared.runtime.needs import StepNeeds\n\nNEEDS = StepNeeds(database={})\n"
    code = "from reports import services\n"

    assert broken_rules(tree, "lambdas/fly_kite", code + needs.format("True")) == ""
    assert OWN_DATABASE in broken_rules(tree, "lambdas/fly_kite", code + needs.format("False"))


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("from lambdas.shared.storage import objects", "The backend imports neither the functions nor the deployment"),
        ("import PIL", "Decoders of uploaded files live behind two functions"),
        ("from workflows import render", "stepfunctions is a tool of the workshop"),
        ("from qu_workflows.console import urls", "The console is imported by nothing but the site"),
    ],
)
def test_a_new_app_is_under_the_rules(tree: Path, code: str, rule: str) -> None:
    assert rule in broken_rules(tree, "backend/kites", f"{code}\n")


def test_a_new_package_of_the_console_uses_only_public_faces(tree: Path) -> None:
    rule = "Of an app the console imports the services and queries alone"

    assert rule in broken_rules(
        tree, "backend/qu_workflows/console/kites", "from qu_workflows.tasks import sqs_sending as sending\n"
    )
    assert broken_rules(tree, "backend/qu_workflows/console/kites", "from qu_workflows.tasks import services\n") == ""


def test_a_new_app_is_in_no_cycle_with_another(tree: Path) -> None:
    path = tree / "backend" / "core" / "kite_flying.py"
    path.write_text("import kites\n")
    try:
        broken = broken_rules(tree, "backend/kites", "from core import models\n")
        assert "core -> kites -> core" in broken or "kites -> core -> kites" in broken
    finally:
        path.unlink()


def test_a_new_app_of_the_platform_needs_a_layer(tree: Path) -> None:
    assert "The platform's layers" in broken_rules(tree, "backend/qu_workflows/kites", "import json\n")
