"""A scaffolded workflow runs: rendered, checked and tested in a copy of the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.template.cloudformation import read_template
from workflows.scaffold import ScaffoldRefused, task_files, workflow_files, write

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("backend", "deploy", "lambdas", "state_machines", "workflows")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/__init__.py", "tests/import_rules.py", "tests/workflows/__init__.py"):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tree / file)
    write(workflow_files("property_audit", ["list_shifts", "audit_shift"]), tree)
    write(task_files("core", "count_shifts", tree), tree)
    for command in (
        ["backend/manage.py", "render_tasks"],
        ["-m", "workflows.render"],
        ["-m", "deploy.template.render"],
    ):
        run(tree, *command)
    return tree


def run(tree: Path, *command: str) -> str:
    path = os.pathsep.join(map(str, (tree, tree / "backend", tree / "workflows" / "engine")))
    environment = {**os.environ, "PYTHONPATH": path, "DATABASE_URL": "sqlite://:memory:"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    arguments = [sys.executable, "-W", "ignore", *command]
    done = subprocess.run(arguments, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_test_of_a_scaffolded_workflow_passes(tree: Path) -> None:
    assert "1 passed" in run(tree, "-m", "pytest", "-p", "no:cacheprovider", "tests/workflows/test_property_audit.py")


def test_the_template_has_its_resources_and_is_valid(tree: Path) -> None:
    template = (tree / "deploy" / "template.yaml").read_text(encoding="utf-8")

    assert "  PropertyAuditStateMachine:\n" in template
    assert "  AuditShiftFunction:\n" in template
    assert "  ListShiftsErrorsAlarm:\n" in template
    run(tree, "-m", "deploy.template.check")


def test_it_keeps_the_import_rules_the_style_and_the_types(tree: Path) -> None:
    run(tree, "-m", "tests.import_rules")
    written = [path.as_posix() for path in map(Path, workflow_files("property_audit", ["list_shifts", "audit_shift"]))]
    run(tree, "-m", "ruff", "check", *written)
    run(tree, "-m", "ruff", "format", "--check", *written)


def test_the_catalog_has_the_new_workflow_and_the_new_task(tree: Path) -> None:
    assert '"property_audit"' in (tree / "workflows" / "workflow_tasks.json").read_text(encoding="utf-8")
    assert '"count_shifts"' in (tree / "workflows" / "django_tasks.json").read_text(encoding="utf-8")
    run(tree, "backend/manage.py", "check")


def test_no_existing_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "lambdas" / "audit_shift").mkdir(parents=True)
    (tmp_path / "lambdas" / "audit_shift" / "handler.py").touch()

    with pytest.raises(ScaffoldRefused, match=r"lambdas/audit_shift/handler\.py: exists\."):
        write(workflow_files("property_audit", ["audit_shift"]), tmp_path)

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["handler.py"]


@pytest.mark.parametrize(("name", "steps"), [("Audit", ["a_b"]), ("a_b", ["audit"]), ("a_b", []), ("a_b", ["a_b"])])
def test_a_name_that_no_folder_can_have_is_refused(name: str, steps: list[str]) -> None:
    with pytest.raises(ScaffoldRefused, match="such as"):
        workflow_files(name, steps)


def test_a_step_that_declares_a_database_shares_its_connections(tree: Path) -> None:
    handler = tree / "lambdas" / "list_shifts" / "handler.py"
    text = handler.read_text(encoding="utf-8").replace("StepNeeds()", "StepNeeds(database=True)")
    text = text.replace("shared.runtime.step import step", "shared.runtime.database import database_step")
    handler.write_text(text.replace("@step(", "@database_step("), encoding="utf-8")

    run(tree, "-m", "deploy.template.render")
    run(tree, "-m", "deploy.template.check")
    run(tree, "-m", "tests.import_rules")

    template = read_template(tree / "deploy" / "template.yaml")
    mapping = template["Mappings"]["DatabaseConnections"]
    before = read_template()["Mappings"]["DatabaseConnections"]
    assert mapping["5000"]["PerFunction"] < before["5000"]["PerFunction"]
    assert "VpcConfig" in template["Resources"]["ListShiftsFunction"]["Properties"]
