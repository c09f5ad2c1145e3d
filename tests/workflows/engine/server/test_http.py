"""The HTTP server over a real socket."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from asl_engine.server import http
from asl_engine.server.http import MAX_BODY_BYTES, MAX_HEAD_BYTES, HttpServer, Request, Response


async def echo(request: Request) -> Response:
    return Response(200, request.body, {"X-Path": request.path})


type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def talk(conversation: Talk, handle: http.Handler = echo, names: Collection[str] = ()) -> None:
    """Run a client against a server on a free port."""

    async def run() -> None:
        server = HttpServer(handle, names)
        host, port = await server.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(host, port)
        try:
            async with asyncio.timeout(10):
                await conversation(reader, writer)
        finally:
            writer.close()
            await server.stop(0.5)

    asyncio.run(run())


def post(body: bytes, *headers: str, path: str = "/") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["Content-Length"]))


def test_a_connection_carries_many_requests() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for text in (b"one", b"two"):
            writer.write(post(text, path="/there"))
            assert await answer_of(reader) == (200, {"X-Path": "/there", "Content-Length": "3"}, text)

    talk(conversation)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Host: localhost:8083"], 200),
        (["Host: 127.0.0.1:8083"], 200),
        (["Host: [::1]:8083"], 200),
        (["Host: engine:8083"], 200),
        ([], 200),
        (["Host: rebound.example.com:8083"], 403),
        (["Host: localhost.example.com"], 403),
        (["Host: 127.0.0.1.example.com"], 403),
        (["Host: localhost:8083", "Origin: https://example.com"], 403),
        (["Host: localhost:8083", "Origin: null"], 403),
        (["Host: localhost:8083", "Origin: http://localhost:8083"], 403),
    ],
)
def test_a_request_of_a_web_page_is_refused(headers: list[str], status: int) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(["POST / HTTP/1.1", *headers, "Content-Length: 0"]).encode() + b"\r\n\r\n")
        assert (await answer_of(reader))[0] == status

    talk(conversation, names={"engine"})


def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(post(b"first") + post(b"second") + post(b"third"))
        assert [(await answer_of(reader))[2] for _ in range(3)] == [b"first", b"second", b"third"]

    talk(conversation)


def test_a_request_may_come_in_any_pieces() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in post(b"slowly"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await answer_of(reader))[2] == b"slowly"

    talk(conversation)


def test_a_client_can_expect_100_continue() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = post(b"body", "Expect: 100-continue").split(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await answer_of(reader))[2] == b"body"

    talk(conversation)


def test_the_connection_is_closed_at_the_clients_request() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(post(b"bye", "Connection: close"))
        assert (await answer_of(reader))[1]["Connection"] == "close"
        assert await reader.read() == b""

    talk(conversation)


@pytest.mark.parametrize(
    ("sent", "status", "remedy"),
    [
        (b"nonsense\r\n\r\n", 400, b"request line"),
        (b"POST / HTTP/3\r\n\r\n", 505, b"HTTP/1.1"),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", 400, b"Name: value"),
        (b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 400, b"number of bytes"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, b"number of bytes"),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 413, b"at most"),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\n{}", 400, b"one Content-Length"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501, b"Content-Length"),
        (b"POST / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n", 431, b"at most"),
    ],
)
def test_an_invalid_request_is_refused_and_its_connection_closed(sent: bytes, status: int, remedy: bytes) -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        found, headers, body = await answer_of(reader)
        assert (found, headers["Connection"]) == (status, "close")
        assert remedy in body
        assert await reader.read() == b""

    talk(conversation)


def test_an_unfinished_request_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.05)

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\n")
        assert (await answer_of(reader))[0] == 408
        assert await reader.read() == b""

    talk(conversation)


def test_trickling_bytes_do_not_extend_the_deadline_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.1)

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def trickle() -> None:
            writer.write(b"POST / HTTP/1.1\r\nX: ")
            while not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.02)

        trickling = asyncio.create_task(trickle())
        assert (await answer_of(reader))[0] == 408
        trickling.cancel()

    talk(conversation)


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.05)

    async def conversation(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""

    talk(conversation)


def test_a_client_gets_further_answers_only_after_reading() -> None:
    begun: list[int] = []

    async def large(_request: Request) -> Response:
        begun.append(1)
        return Response(200, bytes(4_000_000))

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(post(b"") * 50)
        await asyncio.sleep(0.2)
        assert len(begun) < 10
        for _ in range(50):
            assert len((await answer_of(reader))[2]) == 4_000_000

    talk(conversation, large)


def test_a_stopping_server_sends_the_answer_under_way() -> None:
    async def run() -> bytes:
        begun = asyncio.Event()

        async def slow(request: Request) -> Response:
            begun.set()
            await asyncio.sleep(0.1)
            return Response(200, request.body)

        server = HttpServer(slow)
        host, port = await server.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(post(b"last"))
        await begun.wait()
        await server.stop()
        body = (await answer_of(reader))[2]
        writer.close()
        return body

    assert asyncio.run(run()) == b"last"


def test_a_disconnect_cancels_the_clients_request() -> None:
    async def run() -> bool:
        begun, given_up = asyncio.Event(), asyncio.Event()

        async def long(_request: Request) -> Response:
            begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                given_up.set()
                raise
            return Response(200)

        server = HttpServer(long)
        host, port = await server.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection(host, port)
        writer.write(post(b""))
        await begun.wait()
        writer.close()
        async with asyncio.timeout(5):
            await given_up.wait()
        await server.stop()
        return given_up.is_set()

    assert asyncio.run(run())
