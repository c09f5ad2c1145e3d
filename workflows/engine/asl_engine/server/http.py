"""A small HTTP/1.1 server on asyncio for AWS clients, with limits on everything it reads.

It reads bodies by Content-Length and keeps connections alive. A client that breaks a limit gets a status, and its
connection is closed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address

from asl_engine.errors import EngineError

# AWS's hard limit of a request to Step Functions: 1 MB.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_BODY_BYTES = 1_048_576
MAX_HEAD_BYTES = 16_384
REQUEST_SECONDS = 30.0  # from a request's first byte to its last
IDLE_SECONDS = 120.0  # between two requests of one connection
HEALTH_PATH = "/health"


@dataclass(frozen=True, slots=True)
class Request:
    """One complete request. Header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. ``headers`` are those besides Content-Length."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class HttpRefused(EngineError):
    """A request breaks the server's rules; it is answered and the connection closed."""

    def __init__(self, status: HTTPStatus, remedy: str) -> None:
        super().__init__(None, status.phrase, remedy)
        self.status = status


type Handler = Callable[[Request], Awaitable[Response]]


def refusal_of(request: Request, names: Collection[str]) -> str:
    """Return why a request is refused as one from a web page, "" for others.

    A page of another site sends its Origin, or has its own name resolved to this machine (DNS rebinding) and sends
    that as Host. An address as Host cannot be such a name.
    """
    if "origin" in request.headers:
        return "Web pages cannot use this API: send no Origin."
    host = request.headers.get("host")
    if host is None or _is_known(host, names):
        return ""
    return "The Host is unknown. Use an address or localhost, or allow the name: serve --allow-host NAME."


def _is_known(host: str, names: Collection[str]) -> bool:
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(name)
    except ValueError:
        return name.lower() == "localhost" or name in names
    return True


def parse_head(head: bytes) -> Request:
    """Return the request of a head, without a body. Raises HttpRefused."""
    try:
        lines = head.decode("latin-1").split("\r\n")
        method, path, version = lines[0].split(" ")
    except ValueError:
        raise HttpRefused(HTTPStatus.BAD_REQUEST, "Send an HTTP/1.1 request line.") from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise HttpRefused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "Speak HTTP/1.1.")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpRefused(HTTPStatus.BAD_REQUEST, "Send headers as 'Name: value'.")
        if (name := name.lower()) == "content-length" and name in headers:
            raise HttpRefused(HTTPStatus.BAD_REQUEST, "Send one Content-Length.")
        headers[name] = value.strip()
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return Request(method, path, headers, b"")


def body_length(request: Request) -> int:
    """Return the length of the body in bytes. Raises HttpRefused."""
    if "transfer-encoding" in request.headers:
        raise HttpRefused(HTTPStatus.NOT_IMPLEMENTED, "Send the body with a Content-Length.")
    text = request.headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise HttpRefused(HTTPStatus.BAD_REQUEST, "Content-Length must be a number of bytes.")
    if (length := int(text)) > MAX_BODY_BYTES:
        raise HttpRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {MAX_BODY_BYTES} bytes.")
    return length


def render(response: Response, *, close: bool) -> bytes:
    """Return the bytes of an answer."""
    phrase = HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {phrase}", *(f"{name}: {text}" for name, text in response.headers.items())]
    lines.append(f"Content-Length: {len(response.body)}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + response.body


class Connection(asyncio.Protocol):
    """One client's connection, which handles its requests one at a time."""

    def __init__(self, handle: Handler, open_connections: set["Connection"]) -> None:
        self._handle = handle
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._head: Request | None = None
        self._length = 0
        self._answering: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_is_idle = True
        self._closing = False
        self._unread = False  # the client does not read its answers
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker: TCP gives no other
        self._transport = transport
        self._open.add(self)
        self._wait(IDLE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the base class's signature
        """Cancel the answer under way."""
        self._open.discard(self)
        self._closing = True
        self._stop_waiting()
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        """Buffer the bytes, and handle a request once it is complete."""
        self._buffer += data
        if self._answering is None and not self._unread:
            self._advance()
        elif len(self._buffer) > MAX_BODY_BYTES + MAX_HEAD_BYTES:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Handle no other request until the client reads its answers."""
        self._unread = True

    def resume_writing(self) -> None:
        """Continue, as the client reads again."""
        self._unread = False
        if self._answering is None:
            self._go_on()

    def close_when_answered(self) -> None:
        """Close now, or after the answer under way."""
        self._closing = True
        if self._answering is None:
            self._transport.close()

    def _advance(self) -> None:
        try:
            request = self._next_request()
        except HttpRefused as refused:
            self._refuse(refused)
            return
        if request is not None:
            self._stop_waiting()
            self._answering = self._loop.create_task(self._answer(request))

    def _next_request(self) -> Request | None:
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end > MAX_HEAD_BYTES or (end < 0 and len(self._buffer) > MAX_HEAD_BYTES):
                raise HttpRefused(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"Send at most {MAX_HEAD_BYTES} bytes of headers."
                )
            if end < 0:
                self._expect_the_rest()
                return None
            self._head = parse_head(bytes(self._buffer[:end]))
            self._length = body_length(self._head)
            del self._buffer[: end + 4]
            if self._head.headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(self._buffer) < self._length:
            self._expect_the_rest()
            return None
        head, body = self._head, bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._head = None
        return Request(head.method, head.path, head.headers, body)

    async def _answer(self, request: Request) -> None:
        response = await self._handle(request)
        close = self._closing or request.headers.get("connection", "").lower() == "close"
        self._transport.write(render(response, close=close))
        self._answering = None
        if close:
            self._transport.close()
            return
        self._wait(IDLE_SECONDS)
        if not self._unread:
            self._go_on()

    def _go_on(self) -> None:
        self._transport.resume_reading()
        if self._buffer:
            self._advance()

    def _refuse(self, refused: HttpRefused) -> None:
        body = f"{refused.status.phrase}. {refused.remedy}\n".encode()
        self._transport.write(render(Response(refused.status, body, {"Content-Type": "text/plain"}), close=True))
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def _expect_the_rest(self) -> None:
        if self._deadline_is_idle and (self._buffer or self._head is not None):
            self._wait(REQUEST_SECONDS)
            self._deadline_is_idle = False

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline_is_idle = True
        self._timer = self._loop.call_later(seconds, self._timed_out)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        if self._deadline_is_idle:
            self._transport.abort()  # nor does the client read its answers
        else:
            self._refuse(HttpRefused(HTTPStatus.REQUEST_TIMEOUT, f"Send a request within {REQUEST_SECONDS:g} s."))


class HttpServer:
    """Listens, and calls one handler for all requests but those of web pages. Starts once.

    ``names`` are the names of this machine that a Host may have, besides localhost.
    """

    def __init__(self, handle: Handler, names: Collection[str] = ()) -> None:
        self._handler, self._names = handle, names
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen and return the address; port 0 takes any free one. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self._handle, self._connections), host, port, backlog=1024
        )
        address = self._server.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def _handle(self, request: Request) -> Response:
        if refusal := refusal_of(request, self._names):
            return Response(HTTPStatus.FORBIDDEN, f"Forbidden. {refusal}\n".encode(), {"Content-Type": "text/plain"})
        return await self._handler(request)

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Stop listening, send the answers under way, then close all connections."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.close_when_answered()
        end = asyncio.get_running_loop().time() + grace_seconds
        while self._connections and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  over many, not one
            await asyncio.sleep(0.01)
        for connection in list(self._connections):
            connection.abort()
        await self._server.wait_closed()
