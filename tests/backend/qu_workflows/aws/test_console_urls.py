"""Addresses in AWS's own console."""

import pytest

from qu_workflows.aws import clients as aws
from qu_workflows.aws.console_urls import execution_url, map_run_url, state_machine_url, trace_url

ARN = "arn:aws:states:us-east-2:123456789012:execution:m:x"
CHINA = "arn:aws-cn:states:cn-north-1:123456789012:execution:m:x"


@pytest.fixture(autouse=True)
def _clients() -> None:
    aws.forget_clients()


def test_an_execution_at_aws_has_a_page_in_its_region_and_partition() -> None:
    assert (
        execution_url(ARN)
        == f"https://us-east-2.console.aws.amazon.com/states/home?region=us-east-2#/v2/executions/details/{ARN}"
    )
    assert execution_url(CHINA).startswith("https://cn-north-1.console.amazonaws.cn/")
    assert state_machine_url(ARN.replace(":execution:", ":stateMachine:")).endswith(":stateMachine:m:x")
    assert "mapruns" in map_run_url("arn:aws:states:us-east-2:123456789012:mapRun:m/label:x")


def test_a_trace_has_a_page_if_there_is_one() -> None:
    header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1"

    assert trace_url(ARN, header).endswith("#xray:traces/1-67891233-abcdef012345678912345678")
    assert trace_url(ARN, "") == ""


def test_an_engine_of_ones_own_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:8083")

    assert execution_url(ARN) == state_machine_url(ARN) == trace_url(ARN, "Root=1-a-b") == ""
    aws.forget_clients()


@pytest.mark.parametrize(
    "arn", ["", "x", "arn:aws:states:local:000000000000:execution:m:x", "arn:other:states:r:1:e:m"]
)
def test_what_is_not_at_aws_has_none(arn: str) -> None:
    assert execution_url(arn) == ""
