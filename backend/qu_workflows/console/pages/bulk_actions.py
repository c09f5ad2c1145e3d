"""An action on many tasks, signed, as it goes from the preview to the confirmation and from one portion to the next.

Signed for the user who saw the preview: what is done is what was shown, under one batch in the audit table.
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Self

from django.core import signing
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from qu_workflows.console.access import Right
from qu_workflows.console.pages.task_filters import TaskQuery, read_query
from qu_workflows.executions.services import BulkAction, BulkProgress, BulkSelection
from qu_workflows.records.audit import new_batch

VALID_SECONDS = 2 * 3600
RIGHTS = {BulkAction.REDRIVE: Right.REDRIVE, BulkAction.RESTART: Right.REDRIVE, BulkAction.STOP: Right.STOP}


@dataclass(frozen=True)
class BulkOrder:
    """An action and its tasks: the selected ``ids``, or without them those matching ``query``.

    ``as_of`` is when it was previewed. ``after``, ``done`` and ``failed`` say how far it came.
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
        """Return what the list's form asks for."""
        ids = [] if given.get("which") == "all" else list(dict.fromkeys(one for one in given.getlist("id") if one))
        query = read_query(given)
        pinned = query.pinned() if given.get("which") == "all" else query
        return cls(act, pinned.address(), ids, timezone.now().isoformat(), str(new_batch()))

    @classmethod
    def signed(cls, request: HttpRequest, act: BulkAction) -> Self:
        """Return what the form of a preview carries. Raises BadSignature: of another act, another person, or old."""
        order = cls(**signing.loads(request.POST.get("order", ""), salt=_salt(request), max_age=VALID_SECONDS))
        if order.act != act:
            raise signing.BadSignature(f"an order to {order.act}")
        return order

    def sign(self, request: HttpRequest) -> str:
        """Return it as the form carries it."""
        return signing.dumps(asdict(self), salt=_salt(request), compress=True)

    @property
    def task_query(self) -> TaskQuery:
        """The filter, as the list has it."""
        return read_query(QueryDict(self.query))

    def choice(self, which: str = "") -> BulkSelection:
        """Return the tasks that it is for. Raises OperationRefused for a filter that is none."""
        act, as_of = BulkAction(self.act), datetime.fromisoformat(self.as_of)
        if self.ids or which == "ticked":
            return BulkSelection(act, as_of, ids=self.ids)
        return BulkSelection(act, as_of, chosen=self.task_query.search())

    def after_portion(self, portion: BulkProgress, reason: str) -> Self:
        """Return what is left of it."""
        done, failed = self.done + len(portion.done), self.failed + len(portion.failed) + len(portion.left_out)
        return replace(self, after=portion.after, done=done, failed=failed, reason=reason)


def _salt(request: HttpRequest) -> str:
    return f"console.bulk.{request.user.pk}"
