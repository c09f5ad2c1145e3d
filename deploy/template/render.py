"""Render the template's regions: ``python -m deploy.template.render [--check]``.

The steps from NEEDS of their handlers, the workflows from their definitions, then the alarms and the dashboard. The
rest of the template is written by hand.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence

import yaml

from deploy import DeployError
from deploy.packages.functions import FUNCTIONS
from deploy.template.alarm_resources import ALARMS, alarm_resources
from deploy.template.check import instances_per_function
from deploy.template.cloudformation import TEMPLATE_FILE, parse_template
from deploy.template.regions import Region
from deploy.template.step_resources import STEPS, step_resources
from deploy.template.workflow_resources import workflow_regions

INSTANCES = Region("the instances of each function", STEPS.source, indent=4)


def rendered(text: str) -> str:
    """Return the template's text with every region rendered. Raises DeployError."""
    limits = parse_template(text)["Parameters"]["DatabaseMaxConnections"]["AllowedValues"]
    lines = (f'    "{limit}": {{ PerFunction: {instances_per_function(int(limit))} }}\n' for limit in limits)
    text = INSTANCES.fill(text, "".join(lines))
    text = STEPS.fill(text, step_resources(FUNCTIONS))
    for region, body in workflow_regions().items():
        text = region.fill(text, body)
    return ALARMS.fill(text, alarm_resources(parse_template(text)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the regions; return an exit code.

    1 if they differ with --check, 2 if they cannot be rendered.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.template.render", description="Render the template.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a region is out of date")
    options = parser.parse_args(arguments)
    text = TEMPLATE_FILE.read_text(encoding="utf-8")
    try:
        new = rendered(text)
    except (DeployError, yaml.YAMLError) as error:
        print(error, file=sys.stderr)
        return 2
    if not options.check:
        TEMPLATE_FILE.write_text(new, encoding="utf-8")
    elif new != text:
        sys.stdout.write("\n".join(difflib.unified_diff(text.splitlines(), new.splitlines(), "there", "rendered", n=1)))
        print("\ndeploy/template.yaml is out of date. Run make states.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
