"""A second Django project that installs the two wheels and uses them.

It has a user model of its own, one plain task and one workflow of two steps, and knows nothing of this repository.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).with_name("project")
UV = Path(sysconfig.get_path("scripts")) / "uv"

pytestmark = pytest.mark.xdist_group("adopter")  # built once, by one worker


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


PORT = free_port()


def environment() -> dict[str, str]:
    """Return the environment without this repository's settings."""
    left_out = ("PYTHON", "AWS", "VIRTUAL", "DJANGO", "DATABASE", "TASK", "USE_ASYNC", "IN_PROCESS", "WORKFLOW")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {"WORKER_ADDRESS": f"127.0.0.1:{PORT}"}


@contextmanager
def worker(python: Path, project: Path) -> Iterator[None]:
    """Run the project's worker."""
    command: list[str | Path] = [python, "manage.py", "run_worker"]
    with subprocess.Popen(command, cwd=project, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 0


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command apart from the repository and its virtual environment; return its output."""
    ran = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for package in ("asl-engine", "qu-workflows"):
        run(UV, "build", "--quiet", "--wheel", "--package", package, "--out-dir", folder, cwd=ROOT)
    return sorted(folder.glob("*.whl"))


def test_the_platforms_wheel_has_its_pages_tables_and_texts_and_nothing_else(wheels: list[Path]) -> None:
    names = zipfile.ZipFile(wheels[1]).namelist()

    tops = {name.partition("/")[0] for name in names}
    assert [top for top in tops if not top.endswith(".dist-info")] == ["qu_workflows"]
    assert {
        "qu_workflows/py.typed",
        "qu_workflows/console/templates/console/base.html",
        "qu_workflows/console/static/console/console.css",
        "qu_workflows/records/locale/es/LC_MESSAGES/django.mo",
        "qu_workflows/records/migrations/0001_squashed_0005_list_indexes.py",
    } <= set(names)


@pytest.mark.parametrize(("django", "extra"), [((5, 2), "[django52]"), ((6, 1), "")], ids=["django-5.2", "django-6.1"])
def test_a_project_installs_the_wheels_and_sees_its_executions(
    wheels: list[Path], django: tuple[int, int], extra: str, tmp_path: Path
) -> None:
    project, python = tmp_path / "project", tmp_path / "environment" / "bin" / "python"
    shutil.copytree(PROJECT, project)
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "environment", cwd=tmp_path)
    engine, platform = wheels
    wanted = (engine, f"{platform}{extra}", f"django=={django[0]}.{django[1]}.*")
    run(UV, "pip", "install", "--quiet", "--python", python, *wanted, cwd=tmp_path)

    run(python, "-W", "error", "manage.py", "check", "--fail-level", "WARNING", cwd=project)
    run(python, "manage.py", "makemigrations", "--check", "--dry-run", cwd=project)
    run(python, "manage.py", "migrate", "--verbosity", "0", cwd=project)
    with worker(python, project):
        seen = json.loads(run(python, "use.py", cwd=project).splitlines()[-1])

    assert seen["django"] == list(django)
    assert seen["counted"] == 3
    assert seen["shipped"] == ["SUCCEEDED", {"label": "order 7, 2 pieces"}]
    assert seen["refused"] == ["FAILED", "OutOfStock"]
    assert set(seen["statuses"].values()) == {200}, seen["statuses"]
    assert seen["graph"]
    assert seen["history"]
    assert seen["listed"]
    assert seen["spanish"]
    listed = run(python, "manage.py", "executions", "list", cwd=project)
    assert "ship_order" in listed
    assert "OutOfStock" in listed
