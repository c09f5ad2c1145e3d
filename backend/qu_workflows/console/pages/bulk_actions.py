"""A bulk action in a form, from its preview to its last portion.

It is signed for the user who saw the preview, and has one batch id in the audit log.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Self

from django.core import signing
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from qu_workflows.console.access import Right
from qu_workflows.console.pages.task_query import TaskQuery, read_query
from qu_workflows.executions.services import BulkAction, BulkProgress, BulkSelection
from qu_workflows.records.audit import new_batch

VALID_SECONDS = 2 * 3600
RIGHTS = {BulkAction.REDRIVE: Right.REDRIVE, BulkAction.RESTART: Right.REDRIVE, BulkAction.STOP: Right.STOP}


@dataclass(frozen=True)
class BulkOrder:
    """An action and its tasks: the selected ``ids``, or without them those matching ``query``.

    ``as_of`` is the time of the preview; ``after``, ``done`` and ``failed`` are the progress.
    """

    act: str
    query: str
    ids: list[str]
    as_of: str
    batch: str
    reason: str = ""
    after: str = ""
    done: int = 0
    failed: int = 0

    @classmethod
    def asked(cls, act: BulkAction, given: QueryDict) -> Self:
        """Read the form of the list."""
        ids = [] if given.get("which") == "all" else list(dict.fromkeys(one for one in given.getlist("id") if one))
        query = read_query(given)
        pinned = query.pinned() if given.get("which") == "all" else query
        return cls(act, pinned.address(), ids, timezone.now().isoformat(), str(new_batch()))

    @classmethod
    def signed(cls, request: HttpRequest, act: BulkAction) -> Self:
        """Read the form of a preview. Raises BadSignature for another action or user."""
        order = cls(**signing.loads(request.POST.get("order", ""), salt=_salt(request), max_age=VALID_SECONDS))
        if order.act != act:
            raise signing.BadSignature(f"order for {order.act}")
        return order

    def sign(self, request: HttpRequest) -> str:
        """Return the order for a form."""
        return signing.dumps(asdict(self), salt=_salt(request), compress=True)

    @property
    def task_query(self) -> TaskQuery:
        """The filter of the list."""
        return read_query(QueryDict(self.query))

    def choice(self, which: str = "") -> BulkSelection:
        """Return the selected tasks. Raises OperationRefused for an invalid filter."""
        act, as_of = BulkAction(self.act), datetime.fromisoformat(self.as_of)
        if self.ids or which == "ticked":
            return BulkSelection(act, as_of, ids=self.ids)
        return BulkSelection(act, as_of, chosen=self.task_query.search())

    def after_portion(self, portion: BulkProgress, reason: str) -> Self:
        """Return the rest of the order."""
        done, failed = self.done + len(portion.done), self.failed + len(portion.failed) + len(portion.left_out)
        return replace(self, after=portion.after, done=done, failed=failed, reason=reason)


def _salt(request: HttpRequest) -> str:
    return f"console.bulk.{request.user.pk}"
