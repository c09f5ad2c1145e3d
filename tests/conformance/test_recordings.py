"""Conformance of the engine to recordings of AWS, by their own judge.

Recordings and judge are not part of the project: their folder is the environment variable CONFORMANCE_DIR, or
``../shared/conformance`` beside the project. A case that differs is listed in ``differences.json`` with the reason.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = Path(os.environ.get("CONFORMANCE_DIR") or ROOT.parent / "shared" / "conformance")
DIFFERENCES: dict[str, str] = json.loads(Path(__file__).with_name("differences.json").read_text())
LEVELS = ("outcome", "types", "full")
EXECUTIONS, CALLS = ("pure", "lambda", "nested", "sync"), ("test-state", "api")

pytestmark = [
    pytest.mark.xdist_group("conformance"),  # one worker runs the judge, once
    pytest.mark.skipif(
        not (RECORDINGS / "judge" / "run.py").exists(),
        reason=f"There are no recordings at {RECORDINGS}; set CONFORMANCE_DIR to the folder with judge/ and cases/.",
    ),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Serve an engine from a store on disk; yield its URL and Lambda's port."""
    lambda_port = free_port()
    database = tmp_path_factory.mktemp("engine") / "engine.sqlite"
    command = [sys.executable, "-m", "asl_engine", "serve", "--port", "0", "--db", str(database)]
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{lambda_port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "http://" in line, "the reason is on standard error"
            yield next(word for word in line.split() if word.startswith("http://")), lambda_port
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.fixture(scope="module")
def results(engine: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The judge's result of each case: the first difference of each level, or None."""
    url, lambda_port = engine
    report = tmp_path_factory.mktemp("judge") / "report.json"
    command = [sys.executable, "run.py", "--cases", str(RECORDINGS / "cases"), "--endpoint", url, "--json", str(report)]
    command += ["--lambda-port", str(lambda_port), "--group", ",".join(EXECUTIONS + CALLS)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, cwd=RECORDINGS / "judge", env=environment, check=True, stdout=subprocess.DEVNULL)
    found: list[dict[str, Any]] = json.loads(report.read_text())["results"]
    return [one for one in found if "skipped" not in one]


@pytest.mark.parametrize(
    ("groups", "wanted"), [(EXECUTIONS, (98, 95, 90)), (CALLS, (95, 90, 80))], ids=["executions", "calls"]
)
def test_the_engine_agrees_with_aws(
    results: list[dict[str, Any]], groups: tuple[str, ...], wanted: tuple[int, ...]
) -> None:
    cases = [one for one in results if one["group"] in groups]

    reached = [100 * sum(one[level] is None for one in cases) / len(cases) for level in LEVELS]

    assert all(one >= other for one, other in zip(reached, wanted, strict=True)), reached


def test_every_difference_is_listed_with_its_reason(results: list[dict[str, Any]]) -> None:
    differing = {one["name"]: one["full"] for one in results if one["full"]}

    assert {name: found for name, found in differing.items() if name not in DIFFERENCES} == {}


def test_no_case_that_agrees_is_listed(results: list[dict[str, Any]]) -> None:
    agreeing = {one["name"] for one in results if not one["full"]}

    assert agreeing & set(DIFFERENCES) == set()
