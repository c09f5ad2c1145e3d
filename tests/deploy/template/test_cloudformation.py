"""Reading the SAM template, pointing it at uploaded copies, and translating it."""

from pathlib import Path

import pytest

from deploy.packages.functions import FUNCTIONS
from deploy.template.cloudformation import TEMPLATE_FILE, Template, point_at_objects, read_template
from workflows.project import PROJECT


def test_short_forms_are_written_out(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("a: !Ref X\nb: !GetAtt X.Arn.Part\nc: !Sub ['${Y}', {Y: !Ref X}]\nd: !Sub {e: f}\n")

    assert read_template(file) == {
        "a": {"Ref": "X"},
        "b": {"Fn::GetAtt": ["X", "Arn.Part"]},
        "c": {"Fn::Sub": ["${Y}", {"Y": {"Ref": "X"}}]},
        "d": {"Fn::Sub": {"e": "f"}},
    }


def test_every_local_file_that_the_template_names_is_uploaded(template: Template) -> None:
    asked: list[Path] = []

    def uri_of(path: Path) -> str:
        asked.append(path)
        return "s3://example-bucket/copy"

    packaged = point_at_objects(template, uri_of)

    assert len(asked) == len(FUNCTIONS) + len(PROJECT.workflows)
    assert all(path.suffix in {".zip", ".json"} and ".." not in path.parts for path in asked)
    assert "../" not in str(packaged["Resources"])
    assert "../" in TEMPLATE_FILE.read_text()


def test_what_sam_translates_has_no_resource_of_sam_left(translated: Template) -> None:
    kinds = {resource["Type"] for resource in translated["Resources"].values()}

    assert not [kind for kind in kinds if kind.startswith("AWS::Serverless::")]


@pytest.mark.parametrize("kind", ["AWS::IAM::Role", "AWS::Lambda::Alias", "AWS::StepFunctions::StateMachineAlias"])
def test_sam_adds_what_the_template_leaves_to_it(translated: Template, kind: str) -> None:
    assert kind in {resource["Type"] for resource in translated["Resources"].values()}
