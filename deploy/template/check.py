"""``python -m deploy.template.check``: check the SAM template, its translation, and the stages' parameters.

CloudFormation has no arithmetic: the template's mapping ``DatabaseConnections`` contains the instances that each
function with a database may have, and this module computes them.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from deploy.packages.build import BUILD_DIR
from deploy.packages.functions import FUNCTIONS
from deploy.stages import SAMCONFIG, STAGES, Stage, read_stage
from deploy.template.cloudformation import TEMPLATE_FILE, Template, point_at_objects, read_template, translate

REGION = "us-east-2"
# SAM requires a value for each parameter; the linter's result depends on none.
PARAMETERS = {
    "Stage": "production",
    "BucketName": "example-bucket",
    "PublicUrl": "https://api.example.com",
    "DatabaseUrlSecret": "database-url",
    "DjangoSecretKeySecret": "django-secret-key",
}
# superuser_reserved_connections 3, rds.rds_superuser_reserved_connections 2
RESERVED_BY_DATABASE = 5
# The rest is for Django, its migrations and people.
FUNCTIONS_SHARE = 0.6
# After a deployment, instances of the old version hold their connections until Lambda ends them.
VERSIONS_AT_A_TIME = 2
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 1,000, of which 100 stay unreserved
RESERVABLE_CONCURRENCY = 900
WITH_DATABASE = sum(function.needs_database for function in FUNCTIONS)


def instances_per_function(max_connections: int) -> int:
    """Return the instances of each function with a database that these connections allow."""
    usable = (max_connections - RESERVED_BY_DATABASE) * FUNCTIONS_SHARE
    return int(usable / WITH_DATABASE / VERSIONS_AT_A_TIME)


def reserved(parameters: Mapping[str, str], template: Template) -> int:
    """Return the concurrency that a stage with these parameters reserves."""
    values = {name: one["Default"] for name, one in template["Parameters"].items() if "Default" in one} | {**parameters}
    if values["ReserveConcurrency"] != "true":
        return 0
    per_function = template["Mappings"]["DatabaseConnections"][values["DatabaseMaxConnections"]]["PerFunction"]
    return int(values["MaximumConcurrency"]) + WITH_DATABASE * int(per_function)


def contradictions(template: Template, stages: Iterable[Stage]) -> Iterator[str]:
    """Yield what the mapping or a stage demands beyond the database's or the account's limits."""
    mapping: Mapping[str, Mapping[str, int]] = template["Mappings"]["DatabaseConnections"]
    for limit, entry in mapping.items():
        needed = instances_per_function(int(limit))
        if entry["PerFunction"] != needed:
            yield (
                f"template.yaml, Mappings/DatabaseConnections/{limit}: PerFunction is {entry['PerFunction']}. "
                f"Set it to {needed}: there are {WITH_DATABASE} functions with a database."
            )
    for stage in stages:
        where = f"{SAMCONFIG.name}, {stage.name}"
        if stage.parameters.get("DatabaseMaxConnections", next(iter(mapping))) not in mapping:
            yield f"{where}: DatabaseMaxConnections is not one of {', '.join(mapping)}. Use the next lower one."
        elif (total := reserved(stage.parameters, template)) > RESERVABLE_CONCURRENCY:
            yield (
                f"{where}: {total} instances are reserved; an account can reserve {RESERVABLE_CONCURRENCY}. "
                "Lower DatabaseMaxConnections or MaximumConcurrency, or request more concurrency from AWS first."
            )


def main() -> int:
    """Print the faults of the templates and of the stages' parameters; return an exit code."""
    found = list(contradictions(read_template(), map(read_stage, STAGES)))
    print(*found, sep="\n", end="\n" if found else "")
    return _lint() or bool(found)


def _lint() -> int:
    BUILD_DIR.mkdir(parents=True, exist_ok=True)
    translated = BUILD_DIR / "template.json"
    template = point_at_objects(read_template(), lambda path: f"s3://example-bucket/{path.name}")
    translated.write_text(json.dumps(translate(template, PARAMETERS, REGION), indent=2))
    linter = Path(sys.executable).with_name("cfn-lint")
    command = [str(linter), "--regions", REGION, "--", str(TEMPLATE_FILE), str(translated)]
    return subprocess.run(command, check=False).returncode  # noqa: S603  our own arguments


if __name__ == "__main__":
    sys.exit(main())
