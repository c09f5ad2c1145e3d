"""Renders ``deploy/CAPACITY.md`` and its chart from the results of the study."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from deploy import ROOT
from deploy.capacity import figures
from deploy.capacity.chart import Line, Panel, render
from deploy.capacity.choice import MOST_START_SECONDS
from deploy.capacity.instances import KEPT_WARM_SECONDS
from deploy.capacity.shapes import Work, shape_of_workflow
from deploy.capacity.study import DAY, Results
from deploy.cost.estimate import price
from deploy.cost.figures import MILLION
from deploy.cost.usage import settings
from deploy.markdown import table

REPORT_FILE = ROOT / "deploy" / "CAPACITY.md"
CHART_FILE = ROOT / "deploy" / "capacity" / "day.svg"
# Of the functions with a database: once for each mail.
SLOWEST = "render_email"
BURST_FROM, BURST_UNTIL = int(DAY.burst_at // 60) - 5, int(DAY.burst_at // 60) + 20


def render_chart(results: Results) -> str:
    """Return the chart: reports' latency over the day, and executions and waiting tasks around the burst."""
    day = results["day"]
    around = slice(BURST_FROM, BURST_UNTIL)
    return render(
        [
            Panel(
                "A day: 95 % of the reports were done within … seconds of being sent",
                [Line("p95 of ten minutes", day["report_p95"])],
                [(f"{hour}:00", hour / 24) for hour in range(0, 25, 3)],
            ),
            Panel(
                f"The burst: {DAY.burst_reports:,} reports in ten minutes",
                [
                    Line("executions that run", day["running"][around]),
                    Line("tasks not started", day["unstarted"][around]),
                ],
                [
                    (f"{minute // 60}:{minute % 60:02d}", (minute - BURST_FROM) / (BURST_UNTIL - BURST_FROM - 1))
                    for minute in range(BURST_FROM, BURST_UNTIL, 5)
                ],
            ),
        ]
    )


def render_report(results: Results) -> str:
    """Return ``CAPACITY.md``."""
    sections = (_intro(results), _choice(results), _databases(results), _day(results), _by_what())
    return "\n\n".join(sections) + "\n"


def _intro(results: Results) -> str:
    return f"""# Capacity

Written by `make capacity` from a simulation (`deploy/capacity/`), event by event with a fixed seed: queue, event
source mapping, dispatcher, the quotas of Step Functions and Lambda in us-east-2, and every step of every workflow
as its definition has it. Its numbers are those of `deploy/cost/figures.py`. **Nothing here was measured on AWS**:
no account was at hand. After a deploy, put the durations of CloudWatch there and run it again.

The load is assumed too (`Day` in `deploy/capacity/arrivals.py`): {DAY.reports:,} reports over the day,
{DAY.burst_reports:,} more in ten minutes at a shift's end, {DAY.incidents} incidents, {DAY.mails:,} mails, a digest
for {DAY.clients} clients, and what the schedules bring. A *standing queue* is {DAY.burst_reports:,} reports that
wait when it goes on, as after an outage or a redrive of dead letters. The database is production's:
`DatabaseMaxConnections={results["database"]}`."""


def _choice(results: Results) -> str:
    chosen = results["chosen"]
    rows = [
        (
            ("**{}**" if one.items() >= chosen.items() else "{}").format(one["maximum_concurrency"]),
            one["batch_size"],
            *(one["burst"][name] for name in ("failed", "throttled_invocations")),
            f"{one['burst']['start'][1]} s",
            *(one["waiting"][name] for name in ("failed", "throttled_invocations", "throttled_starts")),
            f"{one['waiting']['start'][3]} s",
            f"{one['waiting']['end'][3]} s",
        )
        for one in results["sweep"]
    ]
    head = (
        "MaximumConcurrency",
        "BatchSize",
        "burst: failed",
        "throttled functions",
        "p95 to start",
        "standing queue: failed",
        "throttled functions",
        "throttled starts",
        "last started",
        "last ended",
    )
    instances = _per_function(results)
    return f"""## MaximumConcurrency {chosen["maximum_concurrency"]}, BatchSize {chosen["batch_size"]}

Chosen: no throttled start, then the fewest batches, then the least concurrency, among the settings that start 95 % of
the burst within {MOST_START_SECONDS:g} s and dead-letter nothing.

The reason: some {_starts_per_second(chosen):.0f} tasks start a second at most (a start takes {
        figures.CALL_SECONDS * 1000:.0f} ms, assumed), and even that is more than the steps carry for long: with {
        instances
    } instances,
`{SLOWEST}` does for {_carried(instances):.0f} reports a second. What is beyond waits in the queue, where waiting
costs nothing and loses nothing. What is started too early is throttled at a step; each retry is a paid transition,
and after {_attempts()} of them the execution has FAILED (it can be redriven). A start that Step Functions
refuses hides its message for the visibility time-out. Small batches cost more (a batch is an invocation and two
requests of SQS: some {_price_of_small_batches():.2f}
US dollars for a million tasks one by one) and start a standing queue later, incidents in it too.

{_lines(head, rows)}

Behind a standing queue everything starts late, here by {_chosen_case(results)["start"][3]:.0f} s at most."""


def _databases(results: Results) -> str:
    sizes = list(results["databases"][0]["bursts"])
    rows = [
        (
            one["connections"],
            one["per_function"],
            f"{_carried(one['per_function']):.0f}",
            f"{one['chosen']['maximum_concurrency']} x {one['chosen']['batch_size']}",
            *(f"{one['bursts'][size]['failed']:,}, {one['bursts'][size]['end'][1]} s" for size in sizes),
            one["chosen"]["waiting"]["failed"],
        )
        for one in results["databases"]
    ]
    head = (
        "DatabaseMaxConnections",
        "instances of each function",
        "reports a second the steps carry",
        "MaximumConcurrency x BatchSize",
        *(f"burst of {int(size):,}: failed, p95 to its end" for size in sizes),
        "standing queue: failed",
    )
    fewer = results["fewer_attempts"]
    return f"""## What the database bears

Neither setting helps where the burst itself is more than the steps carry: then only instances do, and they are as
many as the database has connections for.

{_lines(head, rows)}

Failed executions stand where they failed: `manage.py executions redrive --error Lambda.TooManyRequestsException
--since 1h` takes them on once it is quiet. A throttled function is asked {_attempts()} times more
(`workflows/graphs/retries.py`): by {fewer["attempts"]}, as in AWS's example, {fewer["waiting"]["failed"]:,} of the
standing queue's {DAY.burst_reports:,} would fail at production's database."""


def _day(results: Results) -> str:
    day = results["day"]
    rows = [
        (name, day["tasks"][name], *_seconds(case["start"]), *_seconds(case["end"]), case["failed"])
        for name, case in day["workflows"].items()
    ]
    rows.append(
        (
            "**all**",
            sum(day["tasks"].values()),
            *_seconds(day["all"]["start"]),
            *_seconds(day["all"]["end"]),
            day["all"]["failed"],
        )
    )
    head = (
        "workflow",
        "tasks",
        *(f"{what} {share}" for what in ("start", "end") for share in ("p50", "p95", "p99", "max")),
        "failed",
    )
    busiest = [(f"`{name}`", peak) for name, peak in list(day["peaks"].items())[:6]]
    return f"""## A day

Seconds from sent to started, and from sent to its end, well or not; an incident waits {figures.ANSWER_SECONDS:.0f}
s for its person.

{_lines(head, rows)}

![Latency over the day, and the burst](capacity/day.svg)

Starts throttled: {day["all"]["throttled_starts"]:,}. Functions throttled: {day["all"]["throttled_invocations"]:,},
each tried again. Dead letters: {day["all"]["dead_letters"]}. Transitions: {day["transitions"]:,}. Most instances at
a time:

{_lines(("function", "instances"), busiest)}"""


def _by_what() -> str:
    return f"""## What is coarse

- Durations are drawn from a lognormal by the median and p95 measured on one machine, taken longer by each
  function's share of a core; cold starts are assumed: {figures.COLD_SECONDS_WITH_DATABASE:g} s with Django and
  {figures.COLD_SECONDS:g} s without. An instance stays warm for {KEPT_WARM_SECONDS / 60:g} minutes.
- One buffer gathers batches; Lambda's pollers each gather their own, so that real batches are smaller at a low rate.
- Events of executions' statuses wait in order for their function, without Lambda's backoff.
- The steps themselves never fail: what is shown is the quotas' doing alone. The way through a Choice is the one
  that most take.
- S3, SES (its rate is your account's own), the database's own speed and the 1,000 new environments in 10 s are not
  bounds here."""


def _starts_per_second(setting: Mapping[str, int]) -> float:
    batch = setting["batch_size"]
    return (
        setting["maximum_concurrency"] * batch / (figures.CALL_SECONDS + batch * figures.mean_seconds("dispatch_tasks"))
    )


def _attempts() -> int:
    """Return how often the report's first step is tried again when its function is throttled."""
    return next(one.retrier.max_attempts for one in shape_of_workflow("guard_report") if isinstance(one, Work))


def _price_of_small_batches() -> float:
    """Return the US dollars that a million messages by ones cost more than by tens: invocations, GB-s, requests."""
    gb_seconds = settings().memory_mb["dispatch_tasks"] / 1024 * figures.CALL_SECONDS
    batches_more = MILLION * 0.9
    return batches_more * price({"lambda_request": 1, "sqs_request": 2, "lambda_gb_second": gb_seconds})


def _chosen_case(results: Results) -> Results:
    """Return what the chosen setting makes of the standing queue."""
    found: Results = next(one["waiting"] for one in results["sweep"] if one.items() >= results["chosen"].items())
    return found


def _carried(instances: int) -> float:
    """Return how many reports a second the slowest function with a database does for, each with its mails."""
    return instances / figures.mean_seconds(SLOWEST) / fmean(DAY.recipients)


def _per_function(results: Results) -> int:
    found: int = next(one["per_function"] for one in results["databases"] if one["connections"] == results["database"])
    return found


def _seconds(values: Sequence[float]) -> list[str]:
    return [f"{value:,.1f}" for value in values]


def _lines(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return "\n".join(table(head, rows))
