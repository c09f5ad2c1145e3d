"""The wheel of asl-engine, installed into an empty virtual environment: command, server, library, pytest plugin."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UV = Path(sysconfig.get_path("scripts")) / "uv"
DEFINITION = {"StartAt": "Greet", "States": {"Greet": {"Type": "Pass", "Result": "Hello", "End": True}}}
# The versions of the lock file, so that uv finds them in its cache.
PINNED = [f"{name}=={version(name)}" for name in ("jsonata-python", "orjson", "pytest")]

pytestmark = pytest.mark.xdist_group("engine-wheel")  # built and installed once, by one worker


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the repository and return its output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "AWS", "VIRTUAL"))}
    ran = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(UV, "build", "--quiet", "--wheel", "--package", "asl-engine", "--out-dir", folder, cwd=ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel, what it requires, and pytest: no boto3."""
    folder = tmp_path_factory.mktemp("environment")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=folder)
    run(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", wheel, *PINNED, cwd=folder)
    return folder / "bin"


def test_the_wheel_holds_the_typed_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    folders = {name.partition("/")[0] for name in names}
    assert [name for name in folders if not name.endswith(".dist-info")] == ["asl_engine"]
    assert "asl_engine/py.typed" in names
    assert "asl_engine/core/advance.py" in names


def test_every_module_can_be_imported_without_boto3(bin_folder: Path, tmp_path: Path) -> None:
    program = (
        "import importlib, pkgutil, sys, asl_engine\n"
        "for module in pkgutil.walk_packages(asl_engine.__path__, 'asl_engine.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(sorted({'boto3', 'botocore', 'django', 'workflows'} & sys.modules.keys()))\n"
    )

    assert run(bin_folder / "python", "-W", "error", "-c", program, cwd=tmp_path).strip() == "[]"


def test_the_command_runs_a_definition(bin_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "machine.asl.json").write_text(json.dumps(DEFINITION))

    output = run(bin_folder / "asl-engine", "run", "machine.asl.json", cwd=tmp_path)

    assert output.splitlines()[-1] == 'SUCCEEDED  "Hello"'


def test_a_task_of_an_aws_service_says_what_to_install(bin_folder: Path, tmp_path: Path) -> None:
    function = "arn:aws:lambda:us-east-1:000000000000:function:greet"
    states = {"Greet": {"Type": "Task", "Resource": function, "End": True}}
    (tmp_path / "machine.asl.json").write_text(json.dumps({"StartAt": "Greet", "States": states}))
    command = [str(bin_folder / "asl-engine"), "run", "machine.asl.json"]

    ran = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert "pip install 'asl-engine[aws]'" in ran.stdout.splitlines()[-1]


def test_the_library_runs_a_definition(bin_folder: Path, tmp_path: Path) -> None:
    program = f"from asl_engine import run; print(run({DEFINITION!r}, {{}}).output)"

    assert run(bin_folder / "python", "-W", "error", "-c", program, cwd=tmp_path) == "Hello\n"


def test_the_fixture_needs_no_import(bin_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "test_machine.py").write_text(
        f"def test_machine(state_machine):\n    state_machine({DEFINITION!r}).run().assert_succeeded()\n"
    )

    assert "1 passed" in run(bin_folder / "python", "-m", "pytest", "-W", "error", cwd=tmp_path)


def test_the_server_answers_over_http(bin_folder: Path, tmp_path: Path) -> None:
    command = [str(bin_folder / "asl-engine"), "serve", "--port", "0", "--db", "engine.sqlite3"]
    with subprocess.Popen(command, cwd=tmp_path, env={}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
            headers = {"X-Amz-Target": "AWSStepFunctions.ValidateStateMachineDefinition"}
            body = json.dumps({"definition": json.dumps(DEFINITION)}).encode()
            request = urllib.request.Request(url, body, headers)  # noqa: S310  our own http://127.0.0.1
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  our own http://127.0.0.1
                assert json.load(response)["result"] == "OK"
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
