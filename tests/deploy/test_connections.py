"""As many instances as the database has connections for: the mapping, and the stages that take from it."""

import copy
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deploy.closure import ROOT
from deploy.cloudformation import Template
from deploy.connections import (
    FUNCTIONS_SHARE,
    RESERVED_BY_DATABASE,
    VERSIONS_AT_A_TIME,
    WITH_DATABASE,
    contradictions,
    instances_per_function,
    reserved,
)


@given(st.integers(50, 10_000))
def test_two_versions_of_every_function_leave_django_its_share(max_connections: int) -> None:
    instances = instances_per_function(max_connections)
    usable = max_connections - RESERVED_BY_DATABASE

    assert instances * VERSIONS_AT_A_TIME * WITH_DATABASE <= usable * FUNCTIONS_SHARE
    assert (instances + 1) * VERSIONS_AT_A_TIME * WITH_DATABASE > usable * FUNCTIONS_SHARE


def test_the_template_and_its_stages_contradict_nothing(template: Template) -> None:
    assert list(contradictions(template, ROOT / "deploy")) == []
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


def test_a_mapping_that_is_out_of_step_with_the_functions_is_refused(template: Template, tmp_path: Path) -> None:
    wrong = copy.deepcopy(template)
    wrong["Mappings"]["DatabaseConnections"]["400"]["PerFunction"] = 14

    [told] = contradictions(wrong, tmp_path)

    assert told.startswith("template.yaml, Mappings/DatabaseConnections/400: PerFunction is 14;")
    assert told.endswith("has to be 13.")


def test_a_stage_that_reserves_more_than_an_account_has_is_refused(template: Template, tmp_path: Path) -> None:
    (tmp_path / "stage.toml").write_text(
        '[big.deploy.parameters]\nparameter_overrides = ["DatabaseMaxConnections=3200"]\n'
        '[odd.deploy.parameters]\nparameter_overrides = ["DatabaseMaxConnections=150"]\n'
        '[none.deploy.parameters]\nparameter_overrides = ["DatabaseMaxConnections=3200", "ReserveConcurrency=false"]\n'
    )

    big, odd = contradictions(template, tmp_path)

    assert re.match(r"stage.toml, big.deploy.parameters: 9\d\d instances are reserved, of 900", big)
    assert odd.startswith("stage.toml, odd.deploy.parameters: DatabaseMaxConnections is none of 100, 200,")


def test_what_is_reserved_is_the_dispatcher_s_and_that_of_each_function_with_a_database(template: Template) -> None:
    given = {"MaximumConcurrency": "7", "DatabaseMaxConnections": "100"}

    assert reserved(given, template) == 7 + 9 * 3
    assert reserved(given | {"ReserveConcurrency": "false"}, template) == 0
