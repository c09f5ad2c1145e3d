"""How many instances each function with a database may have, from what the database can bear.

The template's mapping ``DatabaseConnections`` holds the outcome, since CloudFormation can not reckon; ``make check``
works it out again, and looks whether a stage reserves more than an account has.
"""

from collections.abc import Iterable, Iterator, Mapping

from deploy.packages.functions import FUNCTIONS
from deploy.stages import SAMCONFIG, Stage
from deploy.template.cloudformation import Template

# superuser_reserved_connections 3, rds.rds_superuser_reserved_connections 2
RESERVED_BY_DATABASE = 5
# The rest is Django's, its migrations' and that of who looks at the database by hand.
FUNCTIONS_SHARE = 0.6
# After a deploy the instances of the old version hold their connections until Lambda ends them.
VERSIONS_AT_A_TIME = 2
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ACCOUNT_CONCURRENCY = 1_000
KEPT_UNRESERVED = 100
WITH_DATABASE = sum(function.needs_database for function in FUNCTIONS)


def instances_per_function(max_connections: int) -> int:
    """Return how many instances of each function with a database leave Django its share of the connections."""
    usable = (max_connections - RESERVED_BY_DATABASE) * FUNCTIONS_SHARE
    return int(usable / WITH_DATABASE / VERSIONS_AT_A_TIME)


def contradictions(template: Template, stages: Iterable[Stage]) -> Iterator[str]:
    """Yield what the mapping or a stage has that the database or the account can not bear."""
    mapping: Mapping[str, Mapping[str, int]] = template["Mappings"]["DatabaseConnections"]
    for limit, entry in mapping.items():
        needed = instances_per_function(int(limit))
        if entry["PerFunction"] != needed:
            yield (
                f"template.yaml, Mappings/DatabaseConnections/{limit}: PerFunction is {entry['PerFunction']}; "
                f"with {WITH_DATABASE} functions it has to be {needed}."
            )
    for stage in stages:
        yield from _of_stage(f"{SAMCONFIG.name}, {stage.name}", stage.parameters, template)


def reserved(given: Mapping[str, str], template: Template) -> int:
    """Return how much of the account's concurrency a stage with these parameters sets aside."""
    values = {name: one["Default"] for name, one in template["Parameters"].items() if "Default" in one} | dict(given)
    if values["ReserveConcurrency"] != "true":
        return 0
    per_function = template["Mappings"]["DatabaseConnections"][values["DatabaseMaxConnections"]]["PerFunction"]
    return int(values["MaximumConcurrency"]) + WITH_DATABASE * int(per_function)


def _of_stage(where: str, given: Mapping[str, str], template: Template) -> Iterator[str]:
    known = template["Mappings"]["DatabaseConnections"]
    if given.get("DatabaseMaxConnections", next(iter(known))) not in known:
        yield f"{where}: DatabaseMaxConnections is none of {', '.join(known)}. Take the next lower one."
        return
    total = reserved(given, template)
    if total > ACCOUNT_CONCURRENCY - KEPT_UNRESERVED:
        yield (
            f"{where}: {total} instances are reserved, of {ACCOUNT_CONCURRENCY - KEPT_UNRESERVED} that an account "
            "can reserve. Lower DatabaseMaxConnections or MaximumConcurrency, or ask AWS for concurrency first."
        )
