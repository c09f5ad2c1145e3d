"""One operation of the API, and what it is called with."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from asl_engine.errors import InvalidToken
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.runner.runner import Runner
from asl_engine.server.arns import Account
from asl_engine.server.request_validation import FieldShape
from asl_engine.store import Store
from asl_engine.store.records import Document

DEFAULT_PAGE = 100


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call: the engine, whose resources, the checked arguments, and numbers drawn from 0 to 1."""

    engine: Runner
    account: Account
    arguments: dict[str, Json]
    draw: Callable[[], float]

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        return self.engine.store

    def now_ms(self) -> int:
        """Return the engine's time."""
        return self.engine.clock.now_ms()

    @property
    def page_size(self) -> int:
        """How many entries a page has at most: maxResults, where 0 is the default."""
        return self.arguments.get("maxResults") or DEFAULT_PAGE

    def page_start(self, *kinds: type) -> list[Json] | None:
        """Return where the page begins: what ``next_token`` was given, values of these types. Raises InvalidToken."""
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
        """Return the page of documents that is asked for, and the ``nextToken`` of its answer if there are more."""
        start = self.page_start(str, str)
        after = (start[0], start[1]) if start else None
        found = self.store.documents(kind, parent, after=after, limit=self.page_size + 1, descending=descending)
        page = found[: self.page_size]
        return page, {"nextToken": next_token(page[-1].sort, page[-1].key)} if len(found) > len(page) else {}


@dataclass(frozen=True, slots=True)
class Operation:
    """How an operation is carried out: ``run`` in a thread, or ``waits`` in the event loop (long polls).

    A ``quick`` one only reads a little of the store: the loop runs it itself, as a thread would cost more.
    ``fields`` are those of an operation that AWS has not; AWS's own are in ``shapes.FIELDS``.
    """

    run: Callable[[ApiCall], Json] | None = None
    waits: Callable[[ApiCall], Awaitable[Json]] | None = None
    quick: bool = False
    fields: Mapping[str, FieldShape] | None = None


def next_token(*start: Json) -> str:
    """Return the token of the page that begins behind ``start``. Opaque to clients."""
    return base64.urlsafe_b64encode(dumps(list(start)).encode()).decode()


def seconds(at_ms: int) -> float:
    """Return a time as the API writes it: seconds since the epoch, to the millisecond."""
    return at_ms / 1000
