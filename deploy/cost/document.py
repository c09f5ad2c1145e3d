"""Writes the tables of ``COST.md``."""

from collections.abc import Iterator, Sequence

from deploy.cost import figures
from deploy.cost.estimate import (
    SERVICES,
    WORTH_USD_A_MONTH,
    by_service,
    price,
    standard_usd,
    tasks_a_day_to_switch,
    variants,
    worth_switching,
)
from deploy.cost.figures import CPU_SHARE_MB, MEASURED, MILLION, NOT_FOUND, PRICES, QUOTAS, SHAPES
from deploy.cost.limits import (
    HEADROOM,
    RATES,
    Demand,
    concurrency_needed,
    connections_needed,
    demands,
    mails_a_second,
    settings_needed,
)
from deploy.cost.usage import billed_s, durable, ours, settings, single_lambda, visits_of
from deploy.markdown import table

BUSIEST = "guard_report"


def render() -> str:
    """Return the text of ``COST.md``; it follows from the tables, the state machines and the template alone."""
    parts = (_opening, _designs, _services, _machines, _quotas, _details, _measured, _sources)
    return "\n\n".join("\n".join(part()) for part in parts) + "\n"


def tables() -> str:
    """Return what ``make cost`` prints: the tables that decide, without the sources."""
    return "\n\n".join("\n".join(part()) for part in (_designs, _services, _machines, _quotas))


def _opening() -> Iterator[str]:
    yield "# What it costs, and what stops it first"
    yield ""
    yield (
        "Written by `make cost` from `state_machines/`, `deploy/template.yaml` and the tables of "
        "`deploy/cost/figures.py`; change those, not this. US dollars, list prices, no free tiers. No AWS account was "
        "at hand: nothing here was read from a bill, and times were measured on one machine, not on Lambda. Not in it: "
        "the database and its proxy, NAT and VPC endpoints, Django's hosting, data leaving AWS, alarms and metrics, "
        "the KMS key (by the month; its requests by the task are next to none), attachments of mails."
    )


def _designs() -> Iterator[str]:
    yield "## A million tasks, three designs"
    yield ""
    yield from table(
        ("Workflow", "one task is", "transitions", "as it is", "guide's single Lambda", "durable functions"),
        (
            (
                f"`{workflow}`",
                shape.steps,
                f"{ours(workflow)['transition']:.2f}",
                _million(ours(workflow)),
                _million(single_lambda(workflow)),
                _million(durable(workflow)),
            )
            for workflow, shape in SHAPES.items()
        ),
    )
    yield ""
    yield (
        "The single Lambda does all steps of a message in one invocation of 1,024 MB, x86_64. It is cheaper since "
        "nothing is kept between steps: what fails is done again from its beginning "
        f"({figures.RETRY_RATE:.0%} of steps fail once) and its mails are sent again, since it has no list of sent "
        "ones; there is no redrive, no history, and no waiting for an answer. Durable functions keep steps, and can "
        "wait, but a failed execution is not redriven: it starts anew. They are priced behind the same dispatcher: "
        "started by the queue itself an execution ends after 15 minutes."
    )


def _services() -> Iterator[str]:
    yield "## A million tasks as they are, by service"
    yield ""
    used = [name for name in SERVICES if any(name in by_service(ours(workflow)) for workflow in SHAPES)]
    yield from table(
        ("Workflow", *used),
        (
            (f"`{workflow}`", *(_usd(by_service(ours(workflow)).get(service, 0)) for service in used))
            for workflow in SHAPES
        ),
    )


def _machines() -> Iterator[str]:
    yield "## Step Functions: what other state machines would save"
    yield ""
    yield from table(
        ("Workflow", "way", "a million tasks", f"saves {WORTH_USD_A_MONTH} USD a month from", "loses", "not possible"),
        (row for workflow in SHAPES for row in _ways_of(workflow)),
    )
    yield ""
    yield (
        "**Chosen: Standard, as it is, for all five.** Redrive at the step that failed, the history in the console, "
        "one execution for one task id and status events are what operators work with. Part of that is worth giving up "
        f"when it saves {WORTH_USD_A_MONTH} USD a month, about a day of work:"
    )
    yield ""
    yield from (f"- `{workflow}`: {_choice(workflow)}" for workflow in SHAPES)


def _ways_of(workflow: str) -> Iterator[Sequence[str]]:
    yield f"`{workflow}`", "**Standard**", _usd(standard_usd(workflow)), "", "", ""
    for variant in variants(workflow):
        yield (
            "",
            variant.name,
            _usd(variant.usd),
            "" if variant.refused else _tasks_a_day(tasks_a_day_to_switch(workflow, variant)),
            variant.loses,
            variant.refused,
        )


def _choice(workflow: str) -> str:
    found = worth_switching(workflow)
    if found is None:
        return "Standard, however many: nothing else can carry it, or saves anything."
    variant, tasks = found
    return f"Standard; from {_tasks_a_day(tasks)} on: {variant.name}."


def _quotas() -> Iterator[str]:
    yield "## Which quota stops it first"
    yield ""
    yield (
        "Tasks a second of one workflow alone, in us-east-2, with the quotas that AWS gives at first (new accounts get "
        "less). The scarcest of AWS's quotas, how much of it is needed, and what to ask for: the need and "
        f"{HEADROOM - 1:.0%} more. S3 splits a prefix by itself as it grows busy; thumbnails lie under their digests. "
        "Mails a second is what SES has to be asked for in any case: in the sandbox it is 1."
    )
    yield ""
    yield from table(
        ("Workflow", "tasks/s", "first", "needed", "has", "all that is too little, and what to ask for", "mails/s"),
        (_first(workflow, rate) for workflow in SHAPES for rate in RATES),
    )
    yield ""
    yield (
        "In us-east-1, us-west-2 and eu-west-1, where AWS gives more: "
        + "; ".join(
            f"`{BUSIEST}` at {rate:,}/s: {_share(demands(BUSIEST, rate, in_main_region=True)[0])}" for rate in RATES
        )
        + "."
    )


def _first(workflow: str, rate: float) -> Sequence[str]:
    found = demands(workflow, rate)
    short = [
        f"{one.name} {one.to_ask:,.0f}" if one.adjustable else f"{one.name} (not raised: more prefixes)"
        for one in found
        if one.to_ask > one.limit
    ]
    return (
        f"`{workflow}`",
        f"{rate:,}",
        f"**{found[0].name}**" if found[0].share > 1 else found[0].name,
        f"{found[0].needed:,.0f} ({found[0].share:.0%})",
        f"{found[0].limit:,.0f}",
        ", ".join(short) or "enough",
        f"{mails_a_second(workflow, rate):,.0f}",
    )


def _details() -> Iterator[str]:
    yield f"## All limits of `{BUSIEST}`"
    yield ""
    yield "AWS's quotas, and the template's own limits with their defaults, needed at so many tasks a second."
    yield ""
    columns = [{one.name: one for one in (*demands(BUSIEST, rate), *settings_needed(BUSIEST, rate))} for rate in RATES]
    yield from table(
        ("limit", "of", "has", *(f"{rate:,}/s" for rate in RATES)),
        (
            (name, one.unit, f"{one.limit:,.0f}", *(f"{column[name].needed:,.1f}" for column in columns))
            for name, one in columns[0].items()
        ),
    )
    yield ""
    yield (
        "Before any quota of AWS's, the template's own limits stop it, set for a small database on purpose: a step "
        "that finds no instance is tried again by its Retry, each try a transition, and in the end fails. What to set "
        f"`DatabaseMaxConnections` to, on a database that has them: {_connections()}."
    )


def _connections() -> str:
    return "; ".join(f"{rate:,}/s: {_database(connections_needed(BUSIEST, rate))}" for rate in RATES)


def _database(connections: int | None) -> str:
    if connections is None:
        return "no database does"
    first = concurrency_needed(connections)
    return f"{connections:,}" + (f", once the account's Lambda concurrency is {first:,} or more" if first else "")


def _measured() -> Iterator[str]:
    yield "## What was measured"
    yield ""
    yield (
        "Milliseconds of each function's own code on a whole core of the machine that `make demo` ran on (how: "
        "`figures.py`), and what is billed for them here: longer by the share of a core that the function's memory "
        f"brings ({CPU_SHARE_MB:,} MB are one). After a deploy, put CloudWatch's durations there."
    )
    yield ""
    yield from table(
        ("function", "MB", "p50 ms", "p95 ms", "mean ms", "billed ms", "log bytes", "samples"),
        (
            (
                f"`{name}`",
                f"{settings().memory_mb[name]:,}",
                f"{one.p50_ms:,}",
                f"{one.p95_ms:,}",
                f"{one.mean_ms:,}",
                f"{billed_s(name) * 1_000:,.0f}",
                f"{one.log_bytes:,}",
                f"as `{one.stand_in}`" if one.stand_in else f"{one.samples}",
            )
            for name, one in MEASURED.items()
        ),
    )
    yield ""
    yield (
        f"Tasks by workflow: {', '.join(f'`{name}` {visits_of(name).tasks:.2f}' for name in SHAPES)}; the dispatcher "
        f"takes {settings().batch} message(s) at a time by the template's BatchSize and was measured with "
        f"{figures.MEASURED_BATCH}; its call of StartExecution is assumed to take {figures.START_EXECUTION_MS} ms; "
        f"each execution is told {figures.STATUS_EVENTS} times how it stands."
    )


def _sources() -> Iterator[str]:
    yield "## Prices and quotas, and where they are from"
    yield ""
    yield from table(
        ("price", "USD", "for", "of", "AWS's page", "read"),
        (
            (f"`{name}`", f"{one.usd:.10f}".rstrip("0").rstrip("."), f"{one.per:,}", one.unit, one.source, one.read)
            for name, one in PRICES.items()
        ),
    )
    yield ""
    yield "Not found: " + " ".join(NOT_FOUND.values())
    yield ""
    yield from table(
        ("quota", "of", "main Regions", "others", "can be raised", "AWS's page"),
        (
            (
                name,
                one.unit + (" at one time" if one.at_once else " a second"),
                _with_bucket(one.main, one.main_bucket),
                _with_bucket(one.other, one.other_bucket),
                "yes" if one.adjustable else "no",
                one.source,
            )
            for name, one in QUOTAS.items()
        ),
    )


def _with_bucket(rate: float, bucket: float | None) -> str:
    return f"{rate:,}" if bucket is None else f"{rate:,}, bucket {bucket:,}"


def _share(demand: Demand) -> str:
    return f"{demand.name} {demand.share:.0%}"


def _tasks_a_day(tasks: float) -> str:
    return "never" if tasks == float("inf") else f"{round(tasks, -3):,.0f} tasks a day"


def _million(usage: dict[str, float] | None) -> str:
    return "not possible" if usage is None else _usd(MILLION * price(usage))


def _usd(usd: float) -> str:
    return f"{usd:,.0f}" if usd >= 10 or not usd else f"{usd:.2f}"
