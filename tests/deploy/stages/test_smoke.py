import base64
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.stages import read_stage, smoke
from deploy.stages.smoke import SmokeTestFailed, ask_site, run_by_zappa, zappa_function


class Site(BaseHTTPRequestHandler):
    statuses: list[int]  # of the next answers; then 200

    def do_GET(self) -> None:
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.end_headers()
        self.wfile.write(b'{"database": "OperationalError"}')

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    Site.statuses = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client("lambda", "us-east-2", aws_access_key_id="testing", aws_secret_access_key="testing")
    monkeypatch.setattr(boto3, "client", lambda *_arguments, **_options: client)
    with Stubber(client) as stub:
        yield stub


def answer(log: str, payload: str = "{}", **more: str) -> dict[str, Any]:
    return {"StatusCode": 200, "LogResult": base64.b64encode(log.encode()).decode(), **more} | {
        "Payload": io.BytesIO(payload.encode())
    }


ASKED = {"FunctionName": "qu-security-dev", "Payload": json.dumps({"manage": "smoke"}).encode(), "LogType": "Tail"}


def test_a_site_that_starts_slowly_is_asked_again(site: str) -> None:
    Site.statuses = [502, 200, 503]

    ask_site(site, within_seconds=20)

    assert Site.statuses == []


def test_a_site_without_its_database_fails_with_its_own_words(site: str) -> None:
    Site.statuses = [200, 503]

    with pytest.raises(SmokeTestFailed, match=r"/healthz/: answered 503: .*OperationalError"):
        ask_site(site, within_seconds=0)


def test_a_site_that_is_not_there_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke.ask_site, "__defaults__", (0.0,))

    assert smoke.main(["--stage", "dev", "--url", "http://127.0.0.1:9", "--task", "none"]) == 1
    assert "The smoke test of dev failed. http://127.0.0.1:9/livez/: does not answer" in capsys.readouterr().err


def test_the_task_runs_in_the_function_that_zappa_made(
    site: str, function: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    function.add_response("invoke", answer("  0.59 s  succeeded\n"), ASKED)

    assert smoke.main(["--stage", "dev", "--url", site]) == 0
    assert "0.59 s  succeeded" in capsys.readouterr().out
    assert zappa_function(read_stage("production")) == "qu-security-production"


def test_a_task_that_fails_there_fails_the_smoke_test(function: Stubber) -> None:
    error = '{"errorMessage": "Task 1 is still SENT after 45 s."}'
    function.add_response("invoke", answer("the log", error, FunctionError="Unhandled"), ASKED)

    with pytest.raises(SmokeTestFailed, match=r"(?s)still SENT after 45 s.*the log"):
        run_by_zappa("qu-security-dev", "us-east-2")


def test_a_function_that_is_not_there_is_named(function: Stubber) -> None:
    function.add_client_error("invoke", "ResourceNotFoundException")

    with pytest.raises(SmokeTestFailed, match="The function qu-security-dev cannot be invoked"):
        run_by_zappa("qu-security-dev", "us-east-2")


def test_here_the_command_says_why_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_DEBUG", "perhaps")

    with pytest.raises(SmokeTestFailed, match="'perhaps' is neither true nor false"):
        smoke.run_here()
