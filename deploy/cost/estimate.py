"""Prices usages: a million tasks of a workflow by service, in each design, and what other state machines would save."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.cost import figures
from deploy.cost.figures import EXPRESS_LONGEST_S, MILLION, PRICES, SHAPES
from deploy.cost.transitions import Definition, read_definition, visits
from deploy.cost.usage import Usage, billed_s, ours, visits_of

SERVICES: dict[str, tuple[str, ...]] = {
    "Step Functions": ("transition", "express_request", "express_gb_second"),
    "durable operations": ("durable_operation", "durable_written_gb", "durable_kept_gb_month"),
    "Lambda": ("lambda_request", "lambda_gb_second", "lambda_gb_second_x86"),
    "SQS, events": ("sqs_request", "schedule", "service_event"),
    "Logs, X-Ray": ("log_ingested_gb", "log_kept_gb_month", "trace"),
    "S3": ("s3_put", "s3_get", "s3_gb_month"),
    "DynamoDB": ("dynamodb_write", "dynamodb_read"),
    "SES": ("mail",),
}
# What has to be saved before redrive inside an item, or the outcomes drawn, are given up: about a day of work.
WORTH_USD_A_MONTH = 500


@dataclass(frozen=True)
class Variant:
    """Another way to run a workflow's states. ``usd`` is its Step Functions' price of a million tasks.

    ``refused`` says why it can not be, ``loses`` what goes with it.
    """

    name: str
    usd: float
    loses: str
    refused: str = ""


def price(usage: Usage) -> float:
    """Return the US dollars of a usage. Raises KeyError for what has no price."""
    return sum(PRICES[name].each * amount for name, amount in usage.items())


def by_service(usage: Usage, tasks: float = MILLION) -> dict[str, float]:
    """Return the US dollars of so many tasks by service; all of the usage is in one of them."""
    parts = {
        service: tasks * price({name: usage[name] for name in names if name in usage})
        for service, names in SERVICES.items()
    }
    return {service: usd for service, usd in parts.items() if usd}


def standard_usd(workflow: str) -> float:
    """Return what the transitions of a million tasks cost as they are."""
    return MILLION * price({"transition": ours(workflow)["transition"]})


def variants(workflow: str) -> list[Variant]:
    """Return the other ways to run a workflow's states: without Pass, with Express children, Express."""
    found = [_express(workflow)]
    if SHAPES[workflow].items:
        found.insert(0, _express_children(workflow))
    if "Pass" in _kinds(read_definition(workflow)).values():
        found.insert(0, _without_passes(workflow))
    return found


def worth_switching(workflow: str) -> tuple[Variant, float] | None:
    """Return the variant that is worth it first, and from how many tasks a day; None where none can be."""
    possible = [(variant, tasks_a_day_to_switch(workflow, variant)) for variant in variants(workflow)]
    able = [pair for pair in possible if not pair[0].refused and pair[1] != float("inf")]
    return min(able, key=lambda pair: pair[1], default=None)


def tasks_a_day_to_switch(workflow: str, variant: Variant) -> float:
    """Return from how many tasks a day a variant saves WORTH_USD_A_MONTH; infinite where it saves nothing."""
    saved = (standard_usd(workflow) - variant.usd) / MILLION
    return WORTH_USD_A_MONTH / saved / 30 if saved > 0 else float("inf")


def _without_passes(workflow: str) -> Variant:
    """Pass states shape an outcome, which the function before could shape. A Choice decides, and stays."""
    seen, kinds = visits_of(workflow), _kinds(read_definition(workflow))
    kept = sum(times for name, times in seen.states.items() if kinds[name] != "Pass")
    return Variant(
        "Standard without Pass",
        MILLION * price({"transition": kept + figures.RETRY_RATE * seen.tasks}),
        "each outcome as a state that the console draws",
    )


def _express_children(workflow: str) -> Variant:
    """Each item of a Map is one state, which waits for an Express execution of the Map's states.

    A Map whose states may take longer than Express lives stays as it is.
    """
    definition, shape = read_definition(workflow), SHAPES[workflow]
    usage = {"transition": ours(workflow)["transition"], "express_request": 0.0, "express_gb_second": 0.0}
    moved = []
    for name, items in shape.items.items():
        body: Definition = definition["States"][name]["ItemProcessor"]
        if _longest_s(body) > EXPRESS_LONGEST_S:
            continue
        moved.append(name)
        inside = visits(body, {}, shape.ways)
        usage["transition"] -= items * (inside.transitions(figures.RETRY_RATE) - (1 + figures.RETRY_RATE))
        usage["express_request"] += items * (1 + figures.RETRY_RATE)
        usage["express_gb_second"] += items * _rounded(_seconds_of(inside.functions)) * figures.EXPRESS_MB / 1_024
    return Variant(
        f"Standard, Express children in {', '.join(moved) or 'no Map'}",
        MILLION * price(usage),
        "redrive at the step that failed inside an item: the item begins again",
        "" if moved else f"an item may take longer than {EXPRESS_LONGEST_S} s",
    )


def _express(workflow: str) -> Variant:
    shape, functions = SHAPES[workflow], visits_of(workflow).functions
    memory = figures.EXPRESS_MB_WITH_MAP if shape.items else figures.EXPRESS_MB
    usage = {"express_request": 1.0, "express_gb_second": _rounded(_seconds_of(functions)) * memory / 1_024}
    return Variant(
        "Express",
        MILLION * price(usage),
        "redrive, the history that the console shows, one execution for one task id (it may run twice)",
        _why_not_express(workflow),
    )


def _why_not_express(workflow: str) -> str:
    definition = read_definition(workflow)
    if any(".waitForTaskToken" in state.get("Resource", "") for state in _states(definition).values()):
        return "Express has no callbacks"
    if (longest := _longest_s(definition)) > EXPRESS_LONGEST_S:
        return f"its steps may take {longest} s, Express ends after {EXPRESS_LONGEST_S} s"
    # https://docs.aws.amazon.com/step-functions/latest/dg/cw-events.html
    return "Express tells EventBridge nothing: the task's record would not learn how it ended"


def _longest_s(machine: Definition) -> int:
    """Return how long the Tasks may take by their TimeoutSeconds, each tried once, items side by side."""
    return sum(state.get("TimeoutSeconds", 0) for state in _states(machine).values())


def _seconds_of(functions: Mapping[str, float]) -> float:
    """All steps one after the other: a Map's items run side by side, so this is the most it can be billed."""
    return sum(times * billed_s(name) for name, times in functions.items())


def _rounded(seconds: float) -> float:
    steps = -(-seconds // figures.EXPRESS_CHUNK_S)
    return float(steps * figures.EXPRESS_CHUNK_S)


def _states(machine: Definition) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for name, state in machine["States"].items():
        found[name] = state
        if "ItemProcessor" in state:
            found |= _states(state["ItemProcessor"])
    return found


def _kinds(definition: Definition) -> dict[str, str]:
    return {name: state["Type"] for name, state in _states(definition).items()}
