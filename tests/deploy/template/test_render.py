"""The template's regions are rendered from the code; errors name the line to change."""

import json
from pathlib import Path

import pytest

from deploy.packages.functions import Function
from deploy.packages.needs import NeedsInvalid, read_needs
from deploy.template.alarms import timeout_seconds
from deploy.template.cloudformation import TEMPLATE_FILE, Template, parse_template
from deploy.template.regions import Region, RegionMissing
from deploy.template.render import rendered
from deploy.template.step_resources import step_statements
from deploy.template.workflow_resources import DefinitionInvalid, workflow_regions
from lambdas.shared.runtime.needs import StepNeeds
from workflows.project import PROJECT

KITES = Region("the kites", "kites.py")


def test_the_template_is_as_the_code_has_it() -> None:
    text = TEMPLATE_FILE.read_text(encoding="utf-8")

    assert rendered(text) == text, "Run make states."


def test_rendering_changes_only_the_region() -> None:
    assert KITES.fill(f"before\n{KITES.begin}  Gone: 1\n{KITES.end}after\n", "  Here: 1\n") == (
        f"before\n{KITES.begin}  Here: 1\n{KITES.end}after\n"
    )


@pytest.mark.parametrize("text", ["", KITES.begin, KITES.end + KITES.begin, (KITES.begin + KITES.end) * 2])
def test_a_template_without_exactly_one_region_is_refused(text: str) -> None:
    with pytest.raises(RegionMissing, match=r"region for the kites\. Put these two lines there"):
        KITES.fill(text, "")


def rights_of(needs: StepNeeds) -> set[str]:
    text = f"Key: &UsableKey key\nStatement:\n{step_statements(needs)}"
    statements = parse_template(text)["Statement"] or []
    return {
        f"{action} {statement['Resource']}"
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_a_step_has_the_rights_that_it_declares_and_no_others() -> None:
    assert rights_of(StepNeeds(database=True)) == set()
    assert rights_of(StepNeeds()) == {"kms:Decrypt key"}
    assert rights_of(StepNeeds(database=True, task_token=True)) == {"states:SendTaskSuccess *"}
    assert rights_of(StepNeeds(database=True, writes=("kites",))) == {
        "kms:Decrypt key",
        "kms:GenerateDataKey key",
        "s3:PutObject [{'Fn::Sub': '${Bucket.Arn}/kites/*'}]",
    }


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        ("NEEDS = 1", r"handler\.py:2: NEEDS is not a call of StepNeeds with keywords\."),
        ("NEEDS = StepNeeds(memory_mb=size)", r"handler\.py:2: memory_mb of NEEDS is not a literal\."),
        ("NEEDS = StepNeeds(memory=1)", r"handler\.py:2: StepNeeds has no memory\. Use timeout"),
    ],
)
def test_unreadable_needs_name_the_line_and_the_remedy(tmp_path: Path, declaration: str, expected: str) -> None:
    handler = tmp_path / "handler.py"
    handler.write_text(f'"""Flies a kite."""\n{declaration}\n')

    with pytest.raises(NeedsInvalid, match=expected):
        read_needs(handler)


def test_a_function_without_needs_and_resource_is_named(template: Template) -> None:
    with pytest.raises(NeedsInvalid, match=r"lambdas/fly_kite/handler\.py:1: .*Declare NEEDS = StepNeeds"):
        timeout_seconds(template, Function("fly_kite", "lambdas"))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, r"state_machines/daily_report_digest\.asl\.json: There is no such file\. Write workflows/graphs/daily"),
        (
            "FlyKite",
            r"workflows/graphs/daily_report_digest\.py: It invokes FlyKiteFunction, .* lambdas/fly_kite/handler",
        ),
    ],
)
def test_a_workflow_without_definition_or_step_is_named(tmp_path: Path, state: str | None, expected: str) -> None:
    (tmp_path / "state_machines").mkdir()
    definition = {"States": {"One": {"Parameters": {"FunctionName": f"${{{state}FunctionArn}}"}}}}
    for workflow in PROJECT.workflows if state else ():
        (tmp_path / "state_machines" / f"{workflow}.asl.json").write_text(json.dumps(definition))

    with pytest.raises(DefinitionInvalid, match=expected):
        workflow_regions(tmp_path)


def test_a_handler_without_needs_declares_nothing(tmp_path: Path) -> None:
    handler = tmp_path / "handler.py"
    handler.write_text('"""Flies a kite."""\n')

    assert read_needs(handler) is None
