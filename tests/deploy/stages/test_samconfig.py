"""``deploy/samconfig.toml``: one environment per stage, each fit for the template."""

import pytest

from deploy.stages import STAGES, read_stage
from deploy.template.cloudformation import read_template


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_sets_all_required_and_no_unknown_parameters(name: str) -> None:
    stage = read_stage(name)
    parameters = read_template()["Parameters"]
    wanted = {name for name, parameter in parameters.items() if "Default" not in parameter}
    assert stage.parameters["Stage"] == name
    assert stage.stack_name.endswith(f"-{name}")
    assert stage.region == "us-east-2"
    assert wanted <= stage.parameters.keys() <= parameters.keys()
