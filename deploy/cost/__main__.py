"""``python -m deploy.cost``: write the tables of ``docs/explanation/costs.md`` and print them."""

from collections.abc import Sequence

from deploy import ROOT
from deploy.cost.figures import QUOTAS, SHAPES, NotEstimated
from deploy.cost.transitions import entries_of, workflows
from deploy.cost.usage import (
    SERVICES,
    busiest_with_database,
    durable,
    ours,
    price,
    quota_needs,
    quota_request,
    single_lambda,
)
from deploy.markdown import fill, table

PAGE = ROOT / "docs" / "explanation" / "costs.md"
RATES = (10, 100, 1_000)


def main() -> None:
    """Write the page's tables and print them."""
    tables = {**estimates(), "not estimated": not_estimated()}
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    print("\n\n".join(tables.values()))


def estimates() -> dict[str, str]:
    """Return the tables of every workflow that has figures."""
    known = [workflow for workflow in SHAPES if not why_not(workflow)]
    designs = ("Workflow", "one task is", "transitions", "as it is", "guide's single Lambda", "durable functions")
    quotas = ("Workflow", "tasks/s", "first quota", "needed", "granted", "ask for", "mails/s", "with a database")
    services = [(f"`{name}`", *(_usd(price(ours(name), service)) for service in SERVICES)) for name in known]
    return {
        "designs": table(designs, map(_designs, known)),
        "services": table(("Workflow", *SERVICES), services),
        "quotas": table(quotas, [_quotas(workflow, rate) for workflow in known for rate in RATES]),
    }


def not_estimated() -> str:
    """Return the workflows without an estimate and why; no test compares it."""
    return "\n".join(f"- `{name}`: {why}." for name in workflows() if (why := why_not(name))) or "None."


def why_not(workflow: str) -> str:
    """Return why a workflow cannot be estimated, "" if it can."""
    try:
        ours(workflow)
    except NotEstimated as missing:
        return str(missing)
    return ""


def _designs(workflow: str) -> Sequence[str]:
    usages = (ours(workflow), single_lambda(workflow), durable(workflow))
    prices = ("not possible" if usage is None else _usd(price(usage)) for usage in usages)
    return f"`{workflow}`", SHAPES[workflow].task, f"{entries_of(workflow).transitions:.2f}", *prices


def _quotas(workflow: str, rate: int) -> Sequence[str]:
    needed = {name: rate * each for name, each in quota_needs(workflow).items()}
    first = next(iter(needed))
    share = needed[first] / QUOTAS[first].limit
    function, instances = busiest_with_database(workflow)
    return (
        f"`{workflow}`",
        f"{rate:,}",
        f"**{first}**" if share > 1 else first,
        f"{needed[first]:,.0f} ({share:.0%})",
        f"{QUOTAS[first].limit:,}",
        ", ".join(filter(None, (quota_request(name, amount) for name, amount in needed.items()))) or "nothing",
        f"{rate * SHAPES[workflow].mails:,.0f}",
        f"{rate * instances:,.0f} of `{function}`",
    )


def _usd(usd: float) -> str:
    return f"{usd:,.0f}" if usd >= 10 or not usd else f"{usd:.2f}"


if __name__ == "__main__":
    main()
