"""Fakes answers of AWS that moto never gives: throttling, faults, refusals."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.awsrequest import AWSResponse, HeadersDict


def always_answer(client: Any, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> list[str]:
    """Make every call of a client return this answer; return the list of called URLs."""
    asked: list[str] = []

    class Raw:
        def stream(self) -> Iterator[bytes]:
            yield body

    def answer(request: Any, **_: Any) -> AWSResponse:
        asked.append(request.url)
        answered: Any = HeadersDict(headers or {})
        return AWSResponse(request.url, status, answered, Raw())

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}.*", answer)
    return asked
