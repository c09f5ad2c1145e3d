"""The evaluator decides like IAM, and rejects unknown elements."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.deploy.rights.policies import Ask, is_allowed, matches, read_statement

READ: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/media/*"}
DENY: dict[str, Any] = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
LIST: dict[str, Any] = {
    "Effect": "Allow",
    "Action": ["s3:ListBucket"],
    "Resource": "arn:aws:s3:::b",
    "Condition": {"StringLike": {"s3:prefix": ["media/*", "thumbnails/*"]}},
}
OBJECT = Ask("s3:GetObject", "arn:aws:s3:::b/media/a/b.jpg")
OBJECT_OF = (OBJECT.action, OBJECT.resource)


def allowed(ask: Ask, *statements: dict[str, Any]) -> bool:
    return is_allowed([read_statement(one) for one in statements], ask)


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not allowed(OBJECT)
    assert not allowed(Ask("s3:PutObject", OBJECT.resource), READ)
    assert not allowed(Ask(OBJECT.action, "arn:aws:s3:::b/emails/1.json"), READ)
    assert allowed(OBJECT, READ)


def test_a_deny_goes_before_any_allow() -> None:
    assert not allowed(OBJECT, READ, DENY)
    assert not allowed(OBJECT, DENY, READ)


@pytest.mark.parametrize(
    ("prefix", "is_met"), [("media/a", True), ("thumbnails/", True), ("emails/", False), ("", False), (None, False)]
)
def test_a_condition_needs_its_key_and_one_of_its_values(prefix: str | None, is_met: bool) -> None:
    context = {} if prefix is None else {"S3:Prefix": prefix}

    assert allowed(Ask("s3:ListBucket", "arn:aws:s3:::b", context), LIST) == is_met


def test_every_condition_of_a_statement_has_to_be_met() -> None:
    condition = {"StringEquals": {"a": "1"}, "Bool": {"aws:SecureTransport": "true"}}
    statement = READ | {"Condition": condition}

    assert allowed(Ask(*OBJECT_OF, {"a": "1", "aws:SecureTransport": "true"}), statement)
    assert not allowed(Ask(*OBJECT_OF, {"a": "1", "aws:SecureTransport": "false"}), statement)
    assert not allowed(Ask(*OBJECT_OF, {"a": "1"}), statement)


def test_if_exists_is_met_by_a_request_without_the_key_alone() -> None:
    statement = READ | {"Condition": {"StringEqualsIfExists": {"a": "1"}}}

    assert allowed(OBJECT, statement)
    assert not allowed(Ask(*OBJECT_OF, {"a": "2"}), statement)


def test_actions_have_no_case_and_resources_have() -> None:
    assert allowed(Ask("S3:getobject", OBJECT.resource), READ)
    assert not allowed(Ask(OBJECT.action, OBJECT.resource.upper()), READ)


@given(st.text(), st.text(), st.text())
def test_a_star_matches_any_text_and_other_characters_themselves(a: str, b: str, between: str) -> None:
    literal = [text.replace("*", "").replace("?", "") for text in (a, b)]

    assert matches("*".join(literal), between.join(literal))
    assert matches(literal[0], literal[0])
    assert not matches(literal[0] + "?", literal[0])


@pytest.mark.parametrize(
    "unknown",
    [
        READ | {"NotAction": "s3:PutObject"},
        READ | {"Principal": "*"},
        READ | {"Condition": {"NumericLessThan": {"s3:max-keys": "10"}}},
    ],
)
def test_what_is_not_known_here_is_no_reason_to_let_anything_through(unknown: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Teach tests/deploy/rights/policies\.py"):
        allowed(OBJECT, unknown)


def test_less_by_one_is_every_single_thing_less() -> None:
    statement = read_statement(LIST | {"Action": ["s3:ListBucket", "s3:GetObject"], "Resource": ["r1", "r2"]})

    labels = [label for label, _left in statement.lesser()]

    both = "s3:ListBucket+s3:GetObject"
    prefixes = [f"{both}@s3:prefix=media/*", f"{both}@s3:prefix=thumbnails/*"]
    assert labels == [both, "s3:ListBucket", "s3:GetObject", f"{both}@r1", f"{both}@r2", *prefixes]
    assert all(left != statement for _label, left in statement.lesser())
