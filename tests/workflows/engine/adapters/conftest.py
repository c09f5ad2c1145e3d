"""A fake Lambda endpoint, and AWS's services by moto."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from moto import mock_aws

from asl_engine.adapters.services import ServiceClients


@dataclass
class LambdaAnswer:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"X-Amz-Executed-Version": "$LATEST"})


@dataclass
class LambdaRequest:
    path: str
    headers: dict[str, str]
    body: bytes


class LambdaEndpoint:
    """Records requests; ``answer`` computes each answer from its request."""

    def __init__(self) -> None:
        self.requests: list[LambdaRequest] = []
        self.connections: set[tuple[str, int]] = set()
        self.answer: Callable[[LambdaRequest], LambdaAnswer] = lambda request: LambdaAnswer(request.body or b"{}")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answers(self, value: Any, **rest: Any) -> None:
        answer = LambdaAnswer(json.dumps(value).encode(), **rest)
        self.answer = lambda _: answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = LambdaRequest(self.path, dict(self.headers.items()), body)
                endpoint.requests.append(request)
                endpoint.connections.add(self.client_address)
                answer = endpoint.answer(request)
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(BrokenPipeError):  # the client of some tests does not wait
                    self.wfile.write(answer.body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def lambda_endpoint() -> Iterator[LambdaEndpoint]:
    endpoint = LambdaEndpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def clients() -> Iterator[ServiceClients]:
    with mock_aws():
        yield ServiceClients()
