"""The local Python runtime, as a process with a Runtime API."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy import ROOT
from deploy.local.aws.lambda_runtime import LOG_FILE_VARIABLE, RUNTIME_PACKAGES_VARIABLE, WARM_UP

HANDLER = """
import os
import helper

class StorageUnavailable(Exception):
    pass

calls = 0

def lambda_handler(event, context):
    global calls
    calls += 1
    print("called with", event)
    if event == "fail":
        raise StorageUnavailable("bucket: throttled")
    return {
        "calls": calls, "pid": os.getpid(), "helper": helper.WHERE, "request": context.aws_request_id,
        "time_left": 0 < context.get_remaining_time_in_millis() <= 3000, "function": context.function_name,
    }
"""


GONE = object()  # in place of an event: the connection ends without an answer


class RuntimeApi:
    """Hands out events and keeps the answers, as Lambda's Runtime API does."""

    def __init__(self) -> None:
        self.events: queue.Queue[Any] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                event = api.events.get()
                if event is GONE:
                    self.close_connection = True
                    return
                body = json.dumps(event).encode()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 3000))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                api.answers.put((self.path.partition("/runtime/")[2], json.loads(body)))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  the base class's name

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, event: Any) -> tuple[str, Any]:
        self.events.put(event)
        return self.answers.get(timeout=20)


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    yield api
    api.server.shutdown()
    api.server.server_close()


def start(api: RuntimeApi, folder: Path, handler: str = "handler.lambda_handler") -> "subprocess.Popen[bytes]":
    for name, text in {
        "package/handler.py": HANDLER,
        "package/helper.py": 'WHERE = "package"',
        "runtime/helper.py": 'WHERE = "runtime"',
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "overlay").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(ROOT / "deploy" / "local" / "aws" / "lambda_runtime.py")],
        env={
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "sample",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "LAMBDA_TASK_ROOT": str(folder / "package"),
            "QU_OVERLAY": str(folder / "overlay"),
            RUNTIME_PACKAGES_VARIABLE: str(folder / "runtime"),
            LOG_FILE_VARIABLE: str(folder / "functions.log"),
            "_HANDLER": handler,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def runtime(api: RuntimeApi, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = start(api, tmp_path)
    yield process
    process.kill()
    process.wait()


@pytest.mark.usefixtures("runtime")
def test_an_event_is_answered_by_the_handler_of_the_package(api: RuntimeApi) -> None:
    path, answer = api.ask({"a": 1})

    assert path == "invocation/request-1/response"
    assert answer["helper"] == "package"
    assert (answer["request"], answer["function"], answer["time_left"]) == ("request-1", "sample", True)


@pytest.mark.usefixtures("runtime")
def test_an_error_is_reported_by_class_and_does_not_end_the_process(api: RuntimeApi) -> None:
    path, failure = api.ask("fail")
    _, answer = api.ask({})

    assert path == "invocation/request-1/error"
    assert (failure["errorType"], failure["errorMessage"]) == ("StorageUnavailable", "bucket: throttled")
    assert "handler.py" in failure["stackTrace"][0]
    assert answer["calls"] == 2


@pytest.mark.usefixtures("runtime")
def test_a_warm_up_does_not_reach_the_handler(api: RuntimeApi) -> None:
    assert api.ask(WARM_UP) == ("invocation/request-1/response", None)
    assert api.ask({})[1]["calls"] == 1


@pytest.mark.usefixtures("runtime")
def test_what_a_function_prints_is_kept_with_its_name(api: RuntimeApi, tmp_path: Path) -> None:
    api.ask({"a": 1})
    api.ask("fail")

    lines = (tmp_path / "functions.log").read_text().splitlines()

    assert lines[0] == "sample called with {'a': 1}"
    assert json.loads(lines[-1].removeprefix("sample "))["errorType"] == "StorageUnavailable"


def test_a_handler_that_cannot_be_loaded_is_reported(api: RuntimeApi, tmp_path: Path) -> None:
    process = start(api, tmp_path, "nowhere.lambda_handler")

    path, failure = api.answers.get(timeout=20)

    assert (path, failure["errorType"]) == ("init/error", "ModuleNotFoundError")
    assert process.wait(20) == 1


def test_the_process_ends_with_its_service(api: RuntimeApi, tmp_path: Path) -> None:
    process = start(api, tmp_path)
    api.ask({})
    api.events.put(GONE)

    assert process.wait(20) == 0
