"""Names and ARNs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.errors import ApiError
from asl_engine.server.arns import Account, check_name, parse_arn

FITTING = st.text("abcXYZ019-_.'()!@+=é漢", min_size=1, max_size=80)


@given(FITTING)
def test_a_name_may_hold_what_aws_does_not_forbid(name: str) -> None:
    assert check_name(name) == name


@given(FITTING, st.sampled_from(' <>{}[]?*"#%\\^|~`$&,;:/\t\n\x00\x1f\x7f\x80\x9f'), FITTING)
def test_a_name_with_a_forbidden_character_is_refused(before: str, forbidden: str, after: str) -> None:
    with pytest.raises(ApiError) as raised:
        check_name(before + forbidden + after)

    assert str(raised.value) == f"InvalidName: Invalid Name: '{before}{forbidden}{after}'"


def test_an_arn_is_taken_apart_as_it_was_put_together() -> None:
    place = Account("eu-west-1", "123456789012", "aws-cn")

    version, alias = (parse_arn(place.arn("stateMachine", "m", part), "stateMachine") for part in ("12", "v12"))

    assert version.text == "arn:aws-cn:states:eu-west-1:123456789012:stateMachine:m:12"
    assert version.state_machine == alias.state_machine == place.arn("stateMachine", "m")
    assert (version.qualifier, version.is_version) == ("12", True)
    assert (alias.qualifier, alias.is_version) == ("v12", False)
