"""Updates of parameters, code or definitions preserve data and running executions."""

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from deploy import ROOT
from deploy.packages.functions import FUNCTIONS, Function
from deploy.template.check import PARAMETERS, REGION
from deploy.template.cloudformation import Template, point_at_objects, read_template, translate
from tests.deploy.template.changes import Changes, Deployed, changes

STATEFUL = {
    "AWS::SQS::Queue",
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::StepFunctions::StateMachine",
}
# Resources that others know by ARN: definitions, the event source mapping, the dispatcher.
KNOWN_BY_ARN = {"AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::StepFunctions::StateMachineAlias"}
HOLDS_DATA = {"TasksQueue", "TasksDeadLetterQueue", "Bucket", "SentEmailsTable", "EncryptionKeyOfStack"}
# Names and ids too long for a version's description. A new value of one needs another Revision.
NEEDS_REVISION = {
    "DatabaseUrlSecret",
    "DjangoSecretKeySecret",
    "EncryptionKey",
    "VpcSubnetIds",
    "VpcSecurityGroupIds",
}
NAMES = {"Prefix", "Stage"}  # another value is another stack
DESCRIPTION_CHARACTERS = 256  # https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    return release()


@functools.cache
def release(new_file: str = "", **parameters: str) -> Deployed:
    """Translate as a deployment does; ``new_file`` gets another name in S3."""
    values = PARAMETERS | parameters
    template = read_template()

    def uri(path: Any) -> str:
        return f"s3://example-bucket/{path.name}-{'new' if path.name == new_file else 'old'}"

    return Deployed(translate(point_at_objects(template, uri), values, REGION), values)


def refs(value: Any, parameters: Mapping[str, Any]) -> set[str]:
    text = json.dumps(value)
    return set(re.findall(r'"Ref": "(\w+)"', text) + re.findall(r"\$\{(\w+)\}", text)) & parameters.keys()


def of_kind(deployed: Deployed, names: set[str], *kinds: str) -> set[str]:
    return {name for name in names if deployed.template["Resources"][name]["Type"] in kinds}


@pytest.mark.parametrize(
    ("new_file", "parameters"),
    [
        ("", {"LogLevel": "DEBUG"}),
        ("", {"MaximumConcurrency": "9"}),
        ("", {"Revision": "2"}),
        ("", {"VisibilityTimeoutSeconds": "600"}),
        ("", {"LogRetentionDays": "90"}),
        ("", {"EncryptionKey": "arn:aws:kms:us-east-2:123456789012:key/1"}),
        ("load_report.zip", {}),
        ("incident_escalation.asl.json", {}),
        ("incident_escalation.asl.json", {"LogLevel": "DEBUG", "MaximumConcurrency": "9"}),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "-".join(value),
)
def test_no_update_replaces_data_or_resources_known_by_arn(
    deployed: Deployed, new_file: str, parameters: dict[str, str]
) -> None:
    after = release(new_file, **parameters)

    found = changes(deployed, after)

    assert found != Changes(set(), set(), set(), set())
    assert not of_kind(deployed, found.replaced | found.removed, *STATEFUL, *KNOWN_BY_ARN)
    for name in found.removed:
        assert deployed.template["Resources"][name]["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}, name
    for name in found.replaced:
        assert after.template["Resources"][name]["UpdateReplacePolicy"] == "Retain", name


def test_another_name_is_seen_to_replace_what_holds_data(deployed: Deployed) -> None:
    found = changes(deployed, release(Prefix="other"))

    assert found.replaced >= HOLDS_DATA - {"Bucket", "EncryptionKeyOfStack"} | {"RunTaskStateMachine"}


def test_data_is_kept_after_a_replacement_or_removal(template: Template) -> None:
    resources = template["Resources"]
    kept = {name for name in resources if resources[name].get("DeletionPolicy") == "RetainExceptOnCreate"}

    assert kept == HOLDS_DATA
    assert {name for name in kept if resources[name].get("UpdateReplacePolicy") == "Retain"} == HOLDS_DATA


@pytest.mark.parametrize("name", ["template.yaml", "container/template.yaml"])
def test_a_failed_first_deploy_leaves_nothing_that_stops_the_next(name: str) -> None:
    resources = read_template(ROOT / "deploy" / name)["Resources"]

    # Retain would keep a resource of a fixed name at the rollback of its creation, too.
    assert "Retain" not in {one.get("DeletionPolicy") for one in resources.values()}


def test_another_log_level_makes_new_versions_and_moves_the_aliases(
    deployed: Deployed,
) -> None:
    found = changes(deployed, release(LogLevel="DEBUG"))

    functions = {function.resource for function in FUNCTIONS}
    assert (found.added, found.removed) == (set(), set())
    assert found.replaced == {f"{name}Version{_hash(deployed, name)}" for name in functions}
    assert found.updated == functions | {f"{name}Aliaslive" for name in functions}


def _hash(deployed: Deployed, function: str) -> str:
    [version] = [name for name in deployed.template["Resources"] if name.startswith(f"{function}Version")]
    return str(version.removeprefix(f"{function}Version"))


def test_another_concurrency_changes_the_event_source_mapping_alone_and_no_version(deployed: Deployed) -> None:
    found = changes(deployed, release(MaximumConcurrency="9"))

    assert found == Changes(set(), set(), set(), {"TasksEventSourceMapping", "DispatchTasksFunction"})


def test_new_code_makes_a_new_version_and_moves_the_alias(deployed: Deployed) -> None:
    after = release("load_report.zip")

    found = changes(deployed, after)

    old, new = _hash(deployed, "LoadReportFunction"), _hash(after, "LoadReportFunction")
    assert old != new
    assert (found.added, found.removed) == ({f"LoadReportFunctionVersion{new}"}, {f"LoadReportFunctionVersion{old}"})
    assert found.replaced == set()
    assert found.updated == {"LoadReportFunction", "LoadReportFunctionAliaslive"}


def test_a_new_definition_makes_a_new_version_and_moves_the_alias(deployed: Deployed) -> None:
    found = changes(deployed, release("incident_escalation.asl.json"))

    machine = "IncidentEscalationStateMachine"
    assert (found.added, found.removed) == (set(), set())
    assert found.replaced == {f"{machine}Version"}
    assert found.updated == {machine, f"{machine}Aliaslive"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
class TestTheVersionOfEachFunction:
    def test_it_is_another_whenever_a_parameter_of_its_configuration_is(
        self, deployed: Deployed, function: Function
    ) -> None:
        resources, parameters = deployed.template["Resources"], deployed.template["Parameters"]
        configuration = resources[function.resource]["Properties"].copy()
        # Of the function, not of a version.
        configuration.pop("ReservedConcurrentExecutions", None)
        version = resources[f"{function.resource}Version{_hash(deployed, function.resource)}"]

        described = refs(version["Properties"]["Description"], parameters)

        # And no other parameter: Lambda publishes no version of an unchanged configuration, and the deployment fails.
        assert described == refs(configuration, parameters) - NEEDS_REVISION - NAMES
        assert "Revision" in described

    def test_its_description_is_never_too_long(self, deployed: Deployed, function: Function) -> None:
        resources, parameters = deployed.template["Resources"], deployed.template["Parameters"]
        version = resources[f"{function.resource}Version{_hash(deployed, function.resource)}"]
        text: str = version["Properties"]["Description"]["Fn::Sub"]

        longest = re.sub(r"\$\{(\w+)\}", lambda found: "x" * _longest(parameters[found[1]]), text)

        assert len(longest) <= DESCRIPTION_CHARACTERS


def _longest(parameter: dict[str, Any]) -> int:
    if "AllowedValues" in parameter:
        return max(len(str(value)) for value in parameter["AllowedValues"])
    if "AllowedPattern" in parameter:
        return int(re.findall(r"\{1,(\d+)\}$", parameter["AllowedPattern"])[0])
    return int(parameter.get("MaxLength") or len(str(parameter["MaxValue"])))


def test_the_revision_lists_the_parameters_that_need_another(template: Template) -> None:
    description = template["Parameters"]["Revision"]["Description"]

    assert set(re.findall(r"\w+", description)) & template["Parameters"].keys() == NEEDS_REVISION
