"""AWS's JSON 1.0 protocol: requests, calls of operations, and answers.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import asyncio
import base64
import binascii
import logging
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from inspect import iscoroutinefunction
from typing import Any

from asl_engine.errors import ApiError, InvalidToken
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner.runner import Runner
from asl_engine.server.http import HEALTH_PATH, Request, Response
from asl_engine.server.request_fields import FIELDS
from asl_engine.server.validation import Account, Field, check_request
from asl_engine.store import Store
from asl_engine.store.records import Document

TARGET_PREFIX = "AWSStepFunctions."
DEFAULT_PAGE = 100
_CONTENT_TYPE = "application/x-amz-json-1.0"
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/\s]+)/[^/\s]+/(?P<region>[^/\s]+)/")
_ACCOUNT = re.compile(r"\d{12}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call: engine, account, validated arguments, and random numbers from 0 to 1."""

    engine: Runner
    account: Account
    arguments: dict[str, Json]
    draw: Callable[[], float]

    @property
    def store(self) -> Store:
        """The engine's store."""
        return self.engine.store

    def now_ms(self) -> int:
        """Return the engine's time."""
        return self.engine.clock.now_ms()

    @property
    def page_size(self) -> int:
        """The maximum entries of a page: maxResults, or the default if that is 0."""
        return self.arguments.get("maxResults") or DEFAULT_PAGE

    def page_start(self, *kinds: type) -> list[Json] | None:
        """Return the values, of these types, in the request's nextToken. Raises InvalidToken."""
        text = self.arguments.get("nextToken")
        if text is None:
            return None
        try:
            start = loads(base64.urlsafe_b64decode(text.encode()))
        except (ValueError, binascii.Error):
            raise InvalidToken from None
        if not isinstance(start, list) or [type(one) for one in start] != list(kinds):
            raise InvalidToken
        return start

    def documents(self, kind: str, parent: str, *, descending: bool = False) -> tuple[list[Document], dict[str, Json]]:
        """Return the requested page of documents, and its answer's ``nextToken`` if there are more."""
        start = self.page_start(str, str)
        after = (start[0], start[1]) if start else None
        found = self.store.documents(kind, parent, after=after, limit=self.page_size + 1, descending=descending)
        return self.page(found, lambda last: [last.sort, last.key])

    def page[T](self, found: Sequence[T], start_after: Callable[[T], list[Json]]) -> tuple[list[T], dict[str, Json]]:
        """Return a page of the found items, and its answer's ``nextToken`` if there are more."""
        page = list(found[: self.page_size])
        if len(found) == len(page):
            return page, {}
        return page, {"nextToken": base64.urlsafe_b64encode(dumps(start_after(page[-1])).encode()).decode()}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation's function: a coroutine, or run in a thread unless ``quick``.

    A quick one reads so little of the store that a thread would cost more. ``fields`` are those of an operation that
    AWS does not have; ``FIELDS`` has AWS's.
    """

    run: Callable[[ApiCall], Any]
    quick: bool = False
    fields: Mapping[str, Field] | None = None


def seconds(at_ms: int) -> float:
    """Return the API's form of a time: seconds since the epoch."""
    return at_ms / 1000


class Api:
    """Answers requests. An access key of twelve digits replaces the number of ``account``."""

    def __init__(
        self, engine: Runner, operations: Mapping[str, Operation], account: Account, *, draw: Callable[[], float]
    ) -> None:
        self._engine, self._operations, self._account, self._draw = engine, operations, account, draw
        self.account_of = lru_cache(maxsize=256)(self._read_account)

    async def handle(self, request: Request) -> Response:
        """Answer one request; never raises."""
        if request.method == "GET" and request.path == HEALTH_PATH:
            return Response(200, b'{"status":"ok"}', {"Content-Type": "application/json"})
        if request.method != "POST":
            text = f"Method Not Allowed. POST an operation of AWS Step Functions, or GET {HEALTH_PATH}.\n"
            return Response(
                HTTPStatus.METHOD_NOT_ALLOWED, text.encode(), {"Content-Type": "text/plain", "Allow": "POST"}
            )
        request_id = str(uuid.uuid4())
        try:
            answer = await self._call(request)
        except ApiError as error:
            return _respond(error.status, {"__type": error.code, "message": error.message}, request_id)
        except Exception:
            logger.exception("Request %s failed: %s", request_id, request.headers.get("x-amz-target"))
            body = {"__type": "InternalServerError", "message": f"See the engine's log for request {request_id}."}
            return _respond(500, body, request_id)
        return _respond(200, answer, request_id)

    async def _call(self, request: Request) -> Json:
        target = request.headers.get("x-amz-target", "")
        name = target.removeprefix(TARGET_PREFIX)
        operation = self._operations.get(name)
        if operation is None or not target.startswith(TARGET_PREFIX):
            raise ApiError("UnknownOperationException", f"No operation of AWS Step Functions: '{target}'")
        arguments = _arguments(request.body)
        check_request(FIELDS[name] if operation.fields is None else operation.fields, arguments)
        call = ApiCall(self._engine, self.account_of(request.headers.get("authorization", "")), arguments, self._draw)
        if iscoroutinefunction(operation.run):
            return await operation.run(call)
        if operation.quick:
            return operation.run(call)
        return await asyncio.get_running_loop().run_in_executor(None, operation.run, call)

    def _read_account(self, authorization: str) -> Account:
        found = _CREDENTIAL.search(authorization)
        if found is None:
            return self._account
        account = found["key"] if _ACCOUNT.fullmatch(found["key"]) else self._account.account
        return Account(found["region"], account)


def _arguments(body: bytes) -> dict[str, Json]:
    try:
        arguments = loads(body or b"{}")
    except ValueError as problem:
        raise ApiError("SerializationException", f"The body is not JSON: {problem}") from None
    if not isinstance(arguments, dict):
        raise ApiError("SerializationException", "The body must be a JSON object")
    return arguments


def _respond(status: int, body: Json, request_id: str) -> Response:
    headers = {"Content-Type": _CONTENT_TYPE, "x-amzn-RequestId": request_id}
    return Response(status, dumps(body).encode(), headers)
