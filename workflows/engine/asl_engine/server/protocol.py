"""AWS's JSON 1.0 protocol: which operation a request names, for whom, and how answers and errors are written.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from http import HTTPStatus

from asl_engine.errors import ApiError
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.server.http import HEALTH_PATH, Request, Response
from asl_engine.server.operation import ApiCall, Operation
from asl_engine.server.request_fields import FIELDS
from asl_engine.server.request_validation import check_request

TARGET_PREFIX = "AWSStepFunctions."
_CONTENT_TYPE = "application/x-amz-json-1.0"
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/\s]+)/[^/\s]+/(?P<region>[^/\s]+)/")
_ACCOUNT = re.compile(r"\d{12}")

logger = logging.getLogger(__name__)


class Api:
    """Answers requests: finds the operation, checks the fields, calls it, writes what it gives.

    Operations that wait for the store's disk run in the loop's threads; long polls and quick ones in the
    loop itself. An access key of twelve digits is taken for the account, as other local
    stand-ins of AWS do; otherwise the place given here holds.
    """

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
        if operation.waits is not None:
            return await operation.waits(call)
        assert operation.run is not None  # noqa: S101  for the type checker: an operation has one or the other
        if operation.quick:
            return operation.run(call)
        return await asyncio.get_running_loop().run_in_executor(None, operation.run, call)

    def _read_account(self, authorization: str) -> Account:
        found = _CREDENTIAL.search(authorization)
        if found is None:
            return self._account
        account = found["key"] if _ACCOUNT.fullmatch(found["key"]) else self._account.account
        return Account(found["region"], account, self._account.partition)


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
