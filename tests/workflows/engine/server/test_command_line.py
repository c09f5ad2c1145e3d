"""``python -m asl_engine``: run and serve."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from asl_engine.__main__ import main
from tests.workflows.engine.server.served import PASS, machine_of

ROOT = Path(__file__).resolve().parents[4]
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:double"


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Write a definition to a file, and return its name."""

    def write(definition: str) -> str:
        path = tmp_path / "machine.asl.json"
        path.write_text(definition)
        return str(path)

    return write


def test_a_definition_is_run_and_its_history_printed(written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", written(PASS), "--input", '{"a": 1}'])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.split()[1] for line in lines[:-1]] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert lines[-1] == 'SUCCEEDED  {"a":1}'


def test_the_input_may_be_in_a_file_and_tasks_in_a_module(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "engine_tasks.py").write_text('tasks = {"double": lambda event: {"a": event["a"] * 2}}\n')
    (tmp_path / "input.json").write_text('{"a": 21}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    machine = written(machine_of(Double={"Type": "Task", "Resource": FUNCTION}))

    code = main(["run", machine, "--input", "@input.json", "--tasks", "engine_tasks:tasks"])

    assert code == 0
    assert capsys.readouterr().out.endswith('SUCCEEDED  {"a":42}\n')


def test_the_exit_code_shows_the_status(written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    late = json.loads(machine_of(Later={"Type": "Wait", "Seconds": 60})) | {"TimeoutSeconds": 1}

    assert main(["run", written(machine_of(Broken={"Type": "Fail", "Error": "Broken", "Cause": "It is."}))]) == 1
    assert capsys.readouterr().out.endswith("FAILED  Broken: It is.\n")
    assert main(["run", written(json.dumps(late))]) == 3


def test_a_stalled_run_is_reported(
    written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "silent_tasks.py").write_text('tasks = {"watch": lambda event: None}\n')
    monkeypatch.chdir(tmp_path)
    waiting = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}
    definition = machine_of(Watch={**waiting, "Parameters": {"FunctionName": "watch", "Payload.$": "$$.Task.Token"}})

    code = main(["run", written(definition), "--tasks", "silent_tasks:tasks"])

    assert code == 1
    assert "waits for a task in Watch" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_an_invalid_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"--port={port}"])

    assert ended.value.code == 2
    assert f"'{port}' is not a port. Give a number from 0 to 65535." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "missing.asl.json"], "missing.asl.json: cannot be read: No such file or directory."),
        (["run", "FILE", "--input", "nonsense"], "--input: invalid JSON"),
        (["run", "FILE", "--input", "@missing.json"], "missing.json: cannot be read"),
        (["run", "FILE", "--tasks", "no_such_module:tasks"], "Give a mapping as package.module:mapping."),
        (["run", "FILE", "--tasks", "os:sep"], "os:sep: not a mapping"),
        (["serve", "--db", "FILE/engine.sqlite"], "engine.sqlite: cannot be used: "),
    ],
)
def test_a_command_that_cannot_start_reports_a_remedy(
    written: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    machine = written(PASS)

    code = main([argument.replace("FILE", machine) for argument in arguments])

    assert code == 2
    assert expected in capsys.readouterr().err


def test_a_refused_definition_lists_every_problem(written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", written('{"StartAt": "A", "States": {"B": {"Type": "Nap"}, "C": {"Type": "Pass"}}}')])

    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert lines[0].endswith("the definition is invalid:")
    assert any(line.startswith("  /States/B/Type: ") for line in lines)
    assert any(line.startswith("  /StartAt: ") for line in lines)


def test_a_port_in_use_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        code = main(["serve", "--port", str(port)])

    assert code == 2
    assert f"127.0.0.1:{port}: cannot listen: Address already in use." in capsys.readouterr().err


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Any]:
    """Start servers on one database, and stop them after the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str, **variables: str) -> tuple["subprocess.Popen[str]", str]:
        words = ["serve", "--port", "0", "--db", str(tmp_path / "db.sqlite"), *options]
        command = [sys.executable, "-m", "asl_engine", *words]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, text=True, stdout=-1, stderr=-1)
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        return process, next((word for word in line.split() if word.startswith("http")), "")

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ask(url: str, method: str, path: str, body: str = "", operation: str = "") -> dict[str, Any]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, {"X-Amz-Target": f"AWSStepFunctions.{operation}"})
    with closing(connection):
        return dict(json.loads(connection.getresponse().read()))


def post(url: str, operation: str, **body: Any) -> dict[str, Any]:
    return ask(url, "POST", "/", json.dumps(body), operation)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_server_stops_cleanly_and_resumes(serving: Any, ending: signal.Signals) -> None:
    process, url = serving()
    machine = post(url, "CreateStateMachine", name="m", definition=PASS, roleArn="arn:aws:iam::1:role/engine")
    arn = post(url, "StartExecution", stateMachineArn=machine["stateMachineArn"], name="kept")["executionArn"]
    process.send_signal(ending)
    _, problems = process.communicate(timeout=20)

    _, url = serving()

    assert (process.returncode, problems) == (0, "")
    assert machine["stateMachineArn"] == "arn:aws:states:us-east-1:000000000000:stateMachine:m"
    assert post(url, "DescribeExecution", executionArn=arn)["status"] == "SUCCEEDED"
    assert ask(url, "GET", "/health") == {"status": "ok"}


def test_two_servers_do_not_share_a_database(serving: Any) -> None:
    serving()

    second, url = serving()

    assert (url, second.wait(20)) == ("", 2)
    assert "another process uses this file" in second.stderr.read()


def test_only_a_skippable_server_moves_its_time(serving: Any, tmp_path: Path) -> None:
    _, skippable = serving("--skippable")
    _, other = serving("--db", str(tmp_path / "other.sqlite"))

    assert post(skippable, "SkipTime", seconds=86_400)["now"] > time.time() + 86_000
    assert post(other, "SkipTime", seconds=86_400)["__type"] == "UnknownOperationException"


class EventBus(BaseHTTPRequestHandler):
    """An event bus that accepts all events."""

    taken: SimpleQueue[dict[str, Any]] = SimpleQueue()

    def do_POST(self) -> None:
        entries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Entries"]
        for entry in entries:
            self.taken.put(entry)
        answer = json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in entries]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_changes_of_status_are_put_on_the_event_bus(serving: Any) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), EventBus) as bus:
        threading.Thread(target=bus.serve_forever, daemon=True).start()
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        place = f"http://127.0.0.1:{bus.server_port}"
        _, url = serving("--status-events", "local.states", AWS_ENDPOINT_URL_EVENTBRIDGE=place, **keys)
        machine = post(url, "CreateStateMachine", name="m", definition=PASS, roleArn="arn:aws:iam::1:role/engine")

        arn = post(url, "StartExecution", stateMachineArn=machine["stateMachineArn"])["executionArn"]

        entries = [EventBus.taken.get(timeout=20) for _ in range(2)]
        bus.shutdown()
    assert [json.loads(entry["Detail"])["status"] for entry in entries] == ["RUNNING", "SUCCEEDED"]
    assert {entry["Source"] for entry in entries} == {"local.states"}
    assert [entry["Resources"] for entry in entries] == [[arn], [arn]]
