"""The changes of the template for ministack, and no others."""

import json
from typing import Any

from deploy.local.aws.deployment import LOCAL_RUNTIME, UNKNOWN_TYPES, adapt
from deploy.template.cloudformation import Template
from workflows.project import PROJECT

PARAMETERS = {"VisibilityTimeoutSeconds": "5", "MaximumConcurrency": "2"}


def test_what_ministack_refuses_is_left_out_and_named(translated: Template) -> None:
    adapted, changes = adapt(translated, PARAMETERS)
    gone = translated["Resources"].keys() - adapted["Resources"].keys()

    of_math = {name for name in gone if "Metrics" in translated["Resources"][name].get("Properties", {})}
    types = {name: resource["Type"] for name, resource in translated["Resources"].items()}
    assert gone - of_math == {name for name, kind in types.items() if kind in UNKNOWN_TYPES}
    assert {types[name] for name in of_math} == {"AWS::CloudWatch::Alarm"}
    assert all(name in "\n".join(changes) for name in gone)


def test_an_output_of_what_is_left_out_is_left_out_too(translated: Template) -> None:
    adapted, _ = adapt(translated, PARAMETERS)

    assert translated["Outputs"].keys() - adapted["Outputs"].keys() == {"DatabaseProxyEndpoint"}


def test_who_referred_to_an_alias_now_refers_to_the_machine(translated: Template) -> None:
    adapted, _ = adapt(translated, PARAMETERS)
    variables = adapted["Resources"]["DispatchTasksFunction"]["Properties"]["Environment"]["Variables"]

    names = ["".join(map(str.capitalize, workflow.split("_"))) for workflow in PROJECT.workflows]
    machines = {name: {"Ref": f"{name}StateMachine"} for name in names}
    assert variables["STATE_MACHINE_ARNS"]["Fn::Sub"][1] == machines
    assert "Aliaslive" not in json.dumps(variables)


def test_numbers_stand_where_a_reference_would_give_their_text(translated: Template) -> None:
    adapted, _ = adapt(translated, PARAMETERS)
    resources = adapted["Resources"]

    assert resources["TasksQueue"]["Properties"]["VisibilityTimeout"] == 5
    assert resources["TasksEventSourceMapping"]["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert resources["SendEmailLogGroup"]["Properties"]["RetentionInDays"] == 30


def test_a_function_s_environment_has_the_text_of_a_number(translated: Template) -> None:
    adapted, _ = adapt(translated, PARAMETERS)
    variables = adapted["Resources"]["RunTaskFunction"]["Properties"]["Environment"]["Variables"]

    assert variables["RETENTION_REPORT_DAYS"] == {"Ref": "RetentionReportDays"}


def test_everything_else_is_deployed_as_it_is_to_aws(translated: Template) -> None:
    adapted, _ = adapt(translated, {})

    def without_the_changes(resource: dict[str, Any]) -> str:
        environment = resource.get("Properties", {}).get("Environment", {})
        text = json.dumps(resource, sort_keys=True)
        for name, parameter in translated["Parameters"].items():
            if parameter["Type"] == "Number":
                text = text.replace(json.dumps({"Ref": name}), str(parameter["Default"]))
        assert not any(isinstance(value, int) for value in environment.get("Variables", {}).values())
        return text.replace("StateMachineAliaslive", "StateMachine").replace("python3.13", LOCAL_RUNTIME)

    for name, resource in adapted["Resources"].items():
        to_aws = translated["Resources"][name]
        if resource["Type"] == "AWS::Lambda::Alias":
            to_aws = {part: value for part, value in to_aws.items() if part != "UpdatePolicy"}
        assert without_the_changes(resource) == without_the_changes(to_aws)


def test_the_translated_template_itself_is_not_changed(translated: Template) -> None:
    before = json.dumps(translated)

    adapt(translated, PARAMETERS)

    assert json.dumps(translated) == before
