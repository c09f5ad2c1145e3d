"""As many instances as the database has connections for: the mapping, and the stages that take from it."""

import copy
import re

from hypothesis import given
from hypothesis import strategies as st

from deploy.stages import STAGES, Stage, read_stage
from deploy.template.cloudformation import Template
from deploy.template.connections import (
    FUNCTIONS_SHARE,
    RESERVED_BY_DATABASE,
    VERSIONS_AT_A_TIME,
    WITH_DATABASE,
    contradictions,
    instances_per_function,
    reserved,
)


def stage(name: str, **parameters: str) -> Stage:
    return Stage(name, f"qu-workflows-{name}", "us-east-2", parameters)


@given(st.integers(50, 10_000))
def test_two_versions_of_every_function_leave_django_its_share(max_connections: int) -> None:
    instances = instances_per_function(max_connections)
    usable = max_connections - RESERVED_BY_DATABASE

    assert instances * VERSIONS_AT_A_TIME * WITH_DATABASE <= usable * FUNCTIONS_SHARE
    assert (instances + 1) * VERSIONS_AT_A_TIME * WITH_DATABASE > usable * FUNCTIONS_SHARE


def test_the_template_and_its_stages_contradict_nothing(template: Template) -> None:
    assert list(contradictions(template, map(read_stage, STAGES))) == []
    assert (
        list(template["Mappings"]["DatabaseConnections"])
        == (template["Parameters"]["DatabaseMaxConnections"]["AllowedValues"])
    )


def test_the_proxy_keeps_to_the_same_share_and_gives_up_before_a_function_does(template: Template) -> None:
    pool = template["Resources"]["DatabaseProxyTargetGroup"]["Properties"]["ConnectionPoolConfigurationInfo"]
    timeouts = [
        resource["Properties"].get("Timeout", template["Globals"]["Function"]["Timeout"])
        for resource in template["Resources"].values()
        if "VpcConfig" in resource.get("Properties", {})
    ]

    assert pool["MaxConnectionsPercent"] == FUNCTIONS_SHARE * 100
    assert pool["ConnectionBorrowTimeout"] < min(timeouts)


def test_a_mapping_that_is_out_of_step_with_the_functions_is_refused(template: Template) -> None:
    wrong = copy.deepcopy(template)
    wrong["Mappings"]["DatabaseConnections"]["400"]["PerFunction"] = 14

    [told] = contradictions(wrong, [])

    assert told.startswith("template.yaml, Mappings/DatabaseConnections/400: PerFunction is 14;")
    assert told.endswith("has to be 13.")


def test_a_stage_that_reserves_more_than_an_account_has_is_refused(template: Template) -> None:
    stages = [
        stage("big", DatabaseMaxConnections="3200"),
        stage("odd", DatabaseMaxConnections="150"),
        stage("none", DatabaseMaxConnections="3200", ReserveConcurrency="false"),
    ]

    big, odd = contradictions(template, stages)

    assert re.match(r"samconfig.toml, big: 9\d\d instances are reserved, of 900", big)
    assert odd.startswith("samconfig.toml, odd: DatabaseMaxConnections is none of 100, 200,")


def test_what_is_reserved_is_the_dispatcher_s_and_that_of_each_function_with_a_database(template: Template) -> None:
    given = {"MaximumConcurrency": "7", "DatabaseMaxConnections": "100"}

    assert reserved(given, template) == 7 + 9 * 3
    assert reserved(given | {"ReserveConcurrency": "false"}, template) == 0
