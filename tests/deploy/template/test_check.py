"""Instances per function with a database: the mapping and the stages' parameters."""

import copy
import re

from hypothesis import given
from hypothesis import strategies as st

from deploy.stages import STAGES, Stage, read_stage
from deploy.template.check import (
    FUNCTIONS_SHARE,
    RESERVED_BY_DATABASE,
    VERSIONS_AT_A_TIME,
    WITH_DATABASE,
    contradictions,
    instances_per_function,
    reserved,
)
from deploy.template.cloudformation import Template


def stage(name: str, **parameters: str) -> Stage:
    return Stage(name, f"qu-workflows-{name}", "us-east-2", parameters)


@given(st.integers(50, 10_000))
def test_two_versions_of_every_function_leave_django_its_share(max_connections: int) -> None:
    instances = instances_per_function(max_connections)
    usable = max_connections - RESERVED_BY_DATABASE

    assert instances * VERSIONS_AT_A_TIME * WITH_DATABASE <= usable * FUNCTIONS_SHARE
    assert (instances + 1) * VERSIONS_AT_A_TIME * WITH_DATABASE > usable * FUNCTIONS_SHARE


def test_the_template_and_its_stages_have_no_contradictions(template: Template) -> None:
    assert list(contradictions(template, map(read_stage, STAGES))) == []
    assert (
        list(template["Mappings"]["DatabaseConnections"])
        == (template["Parameters"]["DatabaseMaxConnections"]["AllowedValues"])
    )


def test_the_proxy_has_the_same_share_and_a_shorter_timeout(template: Template) -> None:
    pool = template["Resources"]["DatabaseProxyTargetGroup"]["Properties"]["ConnectionPoolConfigurationInfo"]
    timeouts = [
        resource["Properties"].get("Timeout", template["Globals"]["Function"]["Timeout"])
        for resource in template["Resources"].values()
        if "VpcConfig" in resource.get("Properties", {})
    ]

    assert pool["MaxConnectionsPercent"] == FUNCTIONS_SHARE * 100
    assert pool["ConnectionBorrowTimeout"] < min(timeouts)


def test_a_mapping_with_another_number_is_refused(template: Template) -> None:
    wrong = copy.deepcopy(template)
    wrong["Mappings"]["DatabaseConnections"]["400"]["PerFunction"] = 14

    [fault] = contradictions(wrong, [])

    assert fault.startswith("template.yaml, Mappings/DatabaseConnections/400: PerFunction is 14. Set it to 13:")


def test_a_stage_that_reserves_more_than_an_account_allows_is_refused(template: Template) -> None:
    stages = [
        stage("big", DatabaseMaxConnections="3200"),
        stage("odd", DatabaseMaxConnections="150"),
        stage("none", DatabaseMaxConnections="3200", ReserveConcurrency="false"),
    ]

    big, odd = contradictions(template, stages)

    assert re.match(r"samconfig.toml, big: 9\d\d instances are reserved; an account can reserve 900", big)
    assert odd.startswith("samconfig.toml, odd: DatabaseMaxConnections is not one of 100, 200,")


def test_the_dispatcher_and_the_functions_with_a_database_reserve_concurrency(template: Template) -> None:
    given = {"MaximumConcurrency": "7", "DatabaseMaxConnections": "100"}

    assert reserved(given, template) == 7 + WITH_DATABASE * instances_per_function(100)
    assert reserved(given | {"ReserveConcurrency": "false"}, template) == 0
