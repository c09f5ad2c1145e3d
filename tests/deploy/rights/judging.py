"""Run code under a role: record each AWS call, and refuse it if IAM would.

moto answers the calls; that IAM lets them through is decided here, by the role's statements (see policies.py).
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from tests.deploy.rights.asking import Asking
from tests.deploy.rights.policies import Ask, Statement, is_allowed

_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})


@dataclass
class Verdicts:
    """The IAM requests of one run, and the refused ones."""

    statements: tuple[Statement, ...]
    asked: list[Ask] = field(default_factory=list)
    refused: list[Ask] = field(default_factory=list)


class Judge:
    """Stands at boto3's edge. ``under`` gives a role; outside of it every call goes through."""

    def __init__(self, asking: Asking, patch: pytest.MonkeyPatch) -> None:
        self._asking = asking
        self._verdicts: Verdicts | None = None
        self._answers: dict[str, Any] = {}
        call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # the one way of every call

        def judged(client: Any, operation: str, given: dict[str, Any]) -> Any:
            if self._verdicts is None:
                return call(client, operation, given)
            service = client.meta.service_model.service_name
            return self._judged(service, operation, given, lambda: call(client, operation, given))

        patch.setattr(botocore.client.BaseClient, "_make_api_call", judged)

    @contextmanager
    def under(self, statements: Iterable[Statement]) -> Generator[Verdicts]:
        """Run what follows under a role with these statements."""
        self._verdicts = Verdicts(tuple(statements))
        try:
            yield self._verdicts
        finally:
            self._verdicts = None

    @contextmanager
    def not_asked(self) -> Generator[None]:
        """Do something under no role, in the midst of a run."""
        verdicts, self._verdicts = self._verdicts, None
        try:
            yield
        finally:
            self._verdicts = verdicts

    def answer(self, operation: str, answer: Any) -> None:
        """Set the answer, or a function for it, of an operation that moto lacks."""
        self._answers[operation] = answer

    def forget_answers(self) -> None:
        """Leave every answer to moto again."""
        self._answers.clear()

    def ask(self, ask: Ask) -> None:
        """Request a permission for an AWS service. Raises ClientError if the role lacks it."""
        assert self._verdicts
        self._verdicts.asked.append(ask)
        if not is_allowed(self._verdicts.statements, ask):
            self._verdicts.refused.append(ask)
            said = {"Error": {"Code": "AccessDenied", "Message": f"not authorized to perform: {ask}"}}
            raise ClientError(said | {"ResponseMetadata": {"HTTPStatusCode": 403}}, ask.action)  # type: ignore[arg-type]  # all that is read

    def _judged(self, service: str, operation: str, given: dict[str, Any], call: Any) -> Any:
        for ask in self._asking.of(service, operation, given):
            self.ask(ask)
        if operation in self._answers:
            answer = self._answers[operation]
            return answer() if callable(answer) else answer
        try:
            return call()
        except ClientError as error:
            missing = self._asking.of_missing(operation, given)
            if missing and error.response["Error"]["Code"] in _MISSING:
                self.ask(missing)
            raise
