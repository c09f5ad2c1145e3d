"""``deploy/samconfig.toml``: one environment per stage, each fit for the template."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.cloudformation import read_template

SAMCONFIG = Path(__file__).parents[2] / "deploy" / "samconfig.toml"


@pytest.mark.parametrize("stage", ["dev", "production"])
def test_an_environment_gives_each_parameter_without_a_default_and_none_that_is_not_there(stage: str) -> None:
    environment: dict[str, Any] = tomllib.loads(SAMCONFIG.read_text())[stage]["deploy"]["parameters"]
    given = dict(override.split("=", 1) for override in environment["parameter_overrides"])
    parameters = read_template()["Parameters"]
    wanted = {name for name, parameter in parameters.items() if "Default" not in parameter}
    assert given["Stage"] == stage
    assert environment["stack_name"].endswith(f"-{stage}")
    assert environment["region"] == "us-east-2"
    assert wanted <= given.keys() <= parameters.keys()
