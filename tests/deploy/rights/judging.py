"""Code run under a role: of each call that it makes, moto and this project's own evaluator say whether IAM lets it.

moto enforces actions, and resources as far as it knows them; it is told the resource here. It looks at no condition,
knows no KMS key, no passing on of a role and not what S3 says of what is missing. The evaluator knows all that. A
call goes through when both let it; where both can judge they have to agree, else the test stops.
"""

import json
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.client
import botocore.credentials
import pytest
from botocore.exceptions import ClientError
from moto import settings as moto_settings
from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import iam_backends
from moto.sqs.responses import SQSResponse
from moto.sts.models import sts_backends

from tests.deploy.rights.asking import Asking
from tests.deploy.rights.policies import Ask, Statement, is_allowed
from tests.deploy.rights.resolving import ACCOUNT

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
# moto takes an operation's name for the action's. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_AS_MOTO_NAMES_IT = {
    "sqs:SendMessage": "sqs:SendMessageBatch",
    "sqs:DeleteMessage": "sqs:DeleteMessageBatch",
    "sqs:ChangeMessageVisibility": "sqs:ChangeMessageVisibilityBatch",
}
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
# Of these moto asks for the bucket, where S3 asks for each object.
_NOT_FOR_MOTO = {("s3", "DeleteObjects")}


@dataclass
class Verdicts:
    """What became of the calls of one run."""

    asked: list[Ask] = field(default_factory=list)
    refused: list[Ask] = field(default_factory=list)
    refused_by_moto: list[Ask] = field(default_factory=list)
    # What moto and the evaluator said different things of, though both could judge.
    disagreements: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Role:
    statements: Sequence[Statement]
    credentials: Any
    verdicts: Verdicts


class Judge:
    """Stands at boto3's edge. ``under`` gives a role; outside of it nobody asks for rights."""

    def __init__(self, asking: Asking, patch: pytest.MonkeyPatch) -> None:
        self._asking = asking
        self._role: _Role | None = None
        self._resource = threading.local()
        self._answers: dict[str, Any] = {}
        self._stand_in_the_way(patch)

    @contextmanager
    def under(self, statements: Iterable[Statement]) -> Generator[Verdicts]:
        """Run what follows under a role with these statements."""
        statements = tuple(statements)
        self._role = _Role(statements, _credentials(statements), Verdicts())
        was = moto_settings.INITIAL_NO_AUTH_ACTION_COUNT
        moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        try:
            yield self._role.verdicts
        finally:
            moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = was
            self._role = None

    @contextmanager
    def not_asked(self) -> Generator[None]:
        """Do something as nobody in particular, in the midst of a run."""
        role, self._role = self._role, None
        was, moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = moto_settings.INITIAL_NO_AUTH_ACTION_COUNT, float("inf")
        try:
            yield
        finally:
            moto_settings.INITIAL_NO_AUTH_ACTION_COUNT = was
            self._role = role

    def answer(self, operation: str, answer: Any) -> None:
        """Say what AWS answers to an operation that moto lets through and has not."""
        self._answers[operation] = answer

    def forget_answers(self) -> None:
        """Leave it to moto again what is answered."""
        self._answers.clear()

    def _stand_in_the_way(self, patch: pytest.MonkeyPatch) -> None:
        call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # the one way of every call
        freeze = botocore.credentials.Credentials.get_frozen_credentials

        def judged(client: Any, operation: str, given: dict[str, Any]) -> Any:
            role = self._role
            if role is None:
                return call(client, operation, given)
            service = client.meta.service_model.service_name
            return self._judged(role, service, operation, given, lambda: call(client, operation, given))

        def frozen(credentials: Any) -> Any:
            return self._role.credentials if self._role else freeze(credentials)

        def told(_responses: Any) -> str:
            return getattr(self._resource, "arn", "*")

        patch.setattr(botocore.client.BaseClient, "_make_api_call", judged)
        patch.setattr(botocore.credentials.Credentials, "get_frozen_credentials", frozen)
        # moto adds up the signature of a GET with a query wrong, and here it is not in question.
        patch.setattr(IAMRequestBase, "check_signature", lambda _request: None)
        for responses in (BaseResponse, SQSResponse):  # the latter finds out by itself, but not a move's queue
            patch.setattr(responses, "_determine_resource", told, raising=False)

    def ask(self, ask: Ask) -> None:
        """Do in the role's name what no code of this project does: AWS's own services do it. Raises ClientError."""
        assert self._role
        self._role.verdicts.asked.append(ask)
        if not is_allowed(self._role.statements, ask):
            raise _refused(self._role, ask, ask.action)

    def _judged(self, role: _Role, service: str, operation: str, given: dict[str, Any], call: Any) -> Any:
        own, *others = self._asking.of(service, operation, given)
        role.verdicts.asked += [own, *others]
        for_moto = (service, operation) not in _NOT_FOR_MOTO
        for ask in (own, *others):
            # What moto sees as well is left to it, so that it is moto who refuses.
            left = ask is own and for_moto and not is_allowed(role.statements, ask, conditions=False)
            if not left and not is_allowed(role.statements, ask):
                raise _refused(role, ask, operation)
        try:
            return self._asked_of_moto(role, operation, own, call) if for_moto else self._not_asked(call)
        except ClientError as error:
            missing = self._asking.of_missing(operation, given)
            if missing and _code(error) in {"NoSuchKey", "404", "NotFound"}:
                role.verdicts.asked.append(missing)
                if not is_allowed(role.statements, missing):
                    raise _refused(role, missing, operation) from None
            raise

    def _not_asked(self, call: Any) -> Any:
        with self.not_asked():
            return call()

    def _asked_of_moto(self, role: _Role, operation: str, own: Ask, call: Any) -> Any:
        self._resource.arn = own.resource
        allowed = is_allowed(role.statements, own)
        try:
            answer = call()
        # moto authorizes before it looks for the method: one that it has not was allowed, and the test gave its answer.
        except (ClientError, NotImplementedError) as error:
            if isinstance(error, ClientError) and _code(error) in _DENIED:
                if allowed:
                    role.verdicts.disagreements.append(f"moto refuses {own} ({error})")
                role.verdicts.refused.append(own)
                role.verdicts.refused_by_moto.append(own)
                raise
            if operation not in self._answers:
                raise
            answer = None
        finally:
            self._resource.arn = "*"
        if not allowed:
            role.verdicts.disagreements.append(f"moto lets through {own}")
        if operation in self._answers:
            given = self._answers[operation]
            return given() if callable(given) else given
        return answer


def _refused(role: _Role, ask: Ask, operation: str) -> ClientError:
    role.verdicts.refused.append(ask)
    said = {"Error": {"Code": "AccessDenied", "Message": f"not authorized to perform: {ask}"}}
    return ClientError(said | {"ResponseMetadata": {"HTTPStatusCode": 403}}, operation)  # type: ignore[arg-type]  # all that is read


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _credentials(statements: Sequence[Statement]) -> Any:
    """Return the credentials of a new role in moto that has these statements, as moto can read them."""
    iam, sts = iam_backends[ACCOUNT]["aws"], sts_backends[ACCOUNT]["aws"]
    name = f"role-{len(iam.roles)}"
    role = iam.create_role(name, TRUST, "/", None, "", [], "3600")
    document = {
        "Version": "2012-10-17",
        "Statement": [_for_moto(one) for one in statements if one.effect == "Allow" or not one.conditions],
    }
    role.put_policy("whole", json.dumps(document))
    session = sts.assume_role("us-east-2", "session", role.arn, "", 3600, "")
    return botocore.credentials.ReadOnlyCredentials(
        session.access_key_id, session.secret_access_key, session.session_token
    )


def _for_moto(statement: Statement) -> dict[str, Any]:
    """Return a statement as moto can read it.

    An Allow with a condition is a refusal to moto, whatever the resource. And it knows ``*`` alone, not ``?``.
    """
    actions = [*statement.actions, *(_AS_MOTO_NAMES_IT[one] for one in statement.actions if one in _AS_MOTO_NAMES_IT)]
    resources = [resource.replace("??????", "*") for resource in statement.resources]
    return {"Effect": statement.effect, "Action": actions, "Resource": resources}
