"""Two judges of each call: what moto can see it refuses itself, what it can not see the evaluator does."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.deploy.rights.asking import NotInTheTables
from tests.deploy.rights.policies import Ask, Statement
from tests.deploy.rights.stack import Stack, client, names

pytestmark = pytest.mark.xdist_group("rights")
KEY = names().arn("EncryptionKeyOfStack")
USE_KEY = Statement("Allow", ("kms:*",), (KEY,), {})


def reading(stack: Stack, prefix: str = "media/*", **conditions: dict[str, str]) -> tuple[Statement, ...]:
    return (Statement("Allow", ("s3:GetObject",), (f"arn:aws:s3:::{stack.bucket}/{prefix}",), conditions), USE_KEY)


def read(stack: Stack) -> None:
    stack.s3.get_object(Bucket=stack.bucket, Key="media/a.jpg")


def refuse(
    stack: Stack, statements: tuple[Statement, ...], do: Callable[[Stack], None] = read
) -> tuple[list[Ask], int]:
    """Do what is to be refused; return what was, and how much of it by moto."""
    stack.put("media/a.jpg", b"x")
    with stack.judge.under(statements) as verdicts, pytest.raises(ClientError) as refused:
        do(stack)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert not verdicts.disagreements
    return verdicts.refused, len(verdicts.refused_by_moto)


def test_an_action_or_a_resource_that_no_statement_has_is_refused_by_moto(stack: Stack) -> None:
    asked = Ask("s3:GetObject", f"arn:aws:s3:::{stack.bucket}/media/a.jpg")

    assert refuse(stack, (USE_KEY,)) == ([asked], 1)
    assert refuse(stack, reading(stack, "thumbnails/*")) == ([asked], 1)


def test_a_condition_that_is_not_met_is_refused_by_the_evaluator(stack: Stack) -> None:
    refused, by_moto = refuse(stack, reading(stack, StringEquals={"aws:SourceVpc": "vpc-1"}))

    assert ([one.action for one in refused], by_moto) == (["s3:GetObject"], 0)


def test_who_may_not_use_the_key_may_not_read_what_is_under_it(stack: Stack) -> None:
    refused, by_moto = refuse(stack, reading(stack)[:1])

    assert refused == [Ask("kms:Decrypt", KEY, refused[0].context)]
    assert refused[0].context["kms:ViaService"] == "s3.us-east-2.amazonaws.com"
    assert by_moto == 0


def test_what_is_allowed_goes_through_and_nobody_is_asked_afterwards(stack: Stack) -> None:
    stack.put("media/a.jpg", b"x")

    with stack.judge.under(reading(stack)) as verdicts:
        read(stack)
    stack.s3.delete_object(Bucket=stack.bucket, Key="media/a.jpg")

    assert [one.action for one in verdicts.asked] == ["s3:GetObject", "kms:Decrypt"]


def test_that_the_two_disagree_is_told(stack: Stack) -> None:
    """moto takes a ? of a pattern for a sign of a regular expression."""
    stack.put("media/a.jpg", b"x")

    with stack.judge.under(reading(stack, "media/?.jpg")) as verdicts, pytest.raises(ClientError):
        read(stack)

    assert verdicts.disagreements


def test_a_call_that_is_in_no_table_stops_the_run(stack: Stack) -> None:
    with stack.judge.under([USE_KEY]), pytest.raises(NotInTheTables, match="nobody has said what it asks of IAM"):
        client("sqs").list_queues()
