"""Calls are recorded, and refused when the role lacks a permission."""

from collections.abc import Generator

import pytest
from botocore.exceptions import ClientError

from tests.deploy.rights.asking import NotInTheTables
from tests.deploy.rights.doing import Run, asked_by, needed_by_none
from tests.deploy.rights.policies import Ask, Role, Statement
from tests.deploy.rights.stack import Stack, client, names, running_django

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("rights")]
KEY = names().arn("EncryptionKeyOfStack")
USE_KEY = Statement("Allow", ("kms:*",), (KEY,), {})


def reading(stack: Stack, prefix: str = "media/*", **conditions: dict[str, str]) -> Role:
    return (Statement("Allow", ("s3:GetObject",), (f"arn:aws:s3:::{stack.bucket}/{prefix}",), conditions), USE_KEY)


def a_file_is_read(stack: Stack, _who: str) -> Generator[None]:
    stack.put("media/a.jpg", b"x")
    yield
    stack.s3.get_object(Bucket=stack.bucket, Key="media/a.jpg")


def a_file_is_read_if_it_can_be(stack: Stack, who: str) -> Generator[None]:
    try:
        yield from a_file_is_read(stack, who)
    except ClientError:
        return


def refused(stack: Stack, role: Role) -> list[str]:
    stack.put("media/a.jpg", b"x")
    with stack.judge.under(role) as verdicts, pytest.raises(ClientError) as error:
        stack.s3.get_object(Bucket=stack.bucket, Key="media/a.jpg")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return [ask.action for ask in verdicts.refused]


def test_another_action_resource_or_condition_is_refused(stack: Stack) -> None:
    assert refused(stack, (USE_KEY,)) == ["s3:GetObject"]
    assert refused(stack, reading(stack, "thumbnails/*")) == ["s3:GetObject"]
    assert refused(stack, reading(stack, StringEquals={"aws:SourceVpc": "vpc-1"})) == ["s3:GetObject"]


def test_reading_an_encrypted_object_needs_the_key(stack: Stack) -> None:
    assert refused(stack, reading(stack)[:1]) == ["kms:Decrypt"]


def test_that_an_object_is_missing_is_said_only_to_who_may_list(stack: Stack) -> None:
    with stack.judge.under(reading(stack)) as verdicts, pytest.raises(ClientError, match="not authorized"):
        stack.s3.get_object(Bucket=stack.bucket, Key="media/b.jpg")

    assert verdicts.refused == [Ask("s3:ListBucket", f"arn:aws:s3:::{stack.bucket}", {"s3:prefix": "media/b.jpg"})]


def test_a_call_that_is_in_no_table_stops_the_run(stack: Stack) -> None:
    with stack.judge.under([USE_KEY]), pytest.raises(NotInTheTables, match="its IAM permissions are unknown"):
        client("sqs").list_queues()


RUN = Run("a_file_is_read", ("person",), a_file_is_read)


def test_a_role_with_too_little_fails_a_run(stack: Stack) -> None:
    with pytest.raises(ClientError, match="not authorized to perform: s3:GetObject"):
        asked_by(stack, RUN, "person", (USE_KEY,), running_django)


def test_a_run_that_goes_on_without_what_it_was_refused_fails_too(stack: Stack) -> None:
    quiet = Run("quiet", ("person",), a_file_is_read_if_it_can_be)

    with pytest.raises(AssertionError, match="s3:GetObject"):
        asked_by(stack, quiet, "person", (USE_KEY,), running_django)


def test_what_a_role_has_too_much_of_is_named(stack: Stack) -> None:
    prefixes = (f"arn:aws:s3:::{stack.bucket}/media/*", f"arn:aws:s3:::{stack.bucket}/emails/*")
    role = (Statement("Allow", ("s3:GetObject", "s3:PutObject"), prefixes, {}), USE_KEY)

    asked = asked_by(stack, RUN, "person", role, running_django)

    assert [ask.action for ask in asked] == ["s3:GetObject", "kms:Decrypt"]
    assert needed_by_none(asked, role) == ["s3:PutObject", f"s3:GetObject+s3:PutObject@{stack.bucket}/emails/*"]
