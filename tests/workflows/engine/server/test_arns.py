"""Names, ARNs, and what a status event says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.server.api_errors import ApiError
from asl_engine.server.arns import Account, check_name, parse_state_machine_arn
from asl_engine.server.serving import change_of
from asl_engine.store.contract import ExecutionRecord

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

    version, alias = (parse_state_machine_arn(place.arn("stateMachine", "m", part)) for part in ("12", "v12"))

    assert version.text == "arn:aws-cn:states:eu-west-1:123456789012:stateMachine:m:12"
    assert version.state_machine == alias.state_machine == place.arn("stateMachine", "m")
    assert (version.qualifier, version.is_version) == ("12", True)
    assert (alias.qualifier, alias.is_version) == ("v12", False)


def record(**more: object) -> ExecutionRecord:
    known = {"arn": "arn:e", "state_machine_arn": "arn:m", "name": "e", "input": "{}", "definition": "", "start_ms": 1}
    return ExecutionRecord(**{**known, **more})  # type: ignore[arg-type]  # of fields by name


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("RUNNING", ("NOT_REDRIVABLE", "Execution is RUNNING and cannot be redriven")),
        ("SUCCEEDED", ("NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven")),
        ("FAILED", ("REDRIVABLE", None)),
        ("TIMED_OUT", ("REDRIVABLE", None)),
        ("ABORTED", ("REDRIVABLE", None)),
    ],
)
def test_a_status_event_says_whether_the_execution_may_be_redriven(status: str, told: tuple[str, str | None]) -> None:
    change = change_of(record(status=status, stop_ms=2, error="Broken", alias_arn="arn:a"))

    assert (change.redrive_status, change.redrive_status_reason) == told
    assert (change.status, change.stop_ms, change.error, change.alias_arn) == (status, 2, "Broken", "arn:a")
