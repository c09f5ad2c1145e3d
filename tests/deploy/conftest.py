"""The templates that the tests of the deployment look at."""

import json
from typing import Any

import pytest

from deploy import ROOT
from deploy.template.check import PARAMETERS, REGION
from deploy.template.cloudformation import Template, point_at_objects, read_template, translate


@pytest.fixture(scope="session")
def template() -> Template:
    """The SAM template as it is written."""
    return read_template()


@pytest.fixture(scope="session")
def translated(template: Template) -> Template:
    """The CloudFormation that SAM makes of it."""
    return translate(point_at_objects(template, lambda path: f"s3://example-bucket/{path.name}"), PARAMETERS, REGION)


@pytest.fixture(scope="session")
def definitions() -> dict[str, dict[str, Any]]:
    """The rendered state machines by workflow."""
    files = (ROOT / "state_machines").glob("*.asl.json")
    return {file.name.removesuffix(".asl.json"): json.loads(file.read_text()) for file in files}
