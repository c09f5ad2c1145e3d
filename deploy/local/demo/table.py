"""Prints what the demo found: one row per report, then the dead-letter queue."""

from collections.abc import Iterator, Sequence

from deploy.local.demo.evidence import DeadLetter, Evidence, Report
from deploy.local.demo.executions import Execution

# Enough of a UUIDv7 to find it in the logs; what comes before tells the time alone.
SHOWN_ID_LENGTH = 12
MAX_BODY_LENGTH = 100


def table(reports: Sequence[Report]) -> Iterator[str]:
    """Yield the table's lines: report, execution, status, seconds per state, thumbnails, mails, files."""
    states = _states(reports)
    heads = [*(_two_lines(state) for state in states), ("thumb-", "nails"), ("", "mails")]
    yield _line("", "", "", [first for first, _ in heads], "")
    yield _line("report", "execution", "status", [second for _, second in heads], "files")
    for report in reports:
        seconds = report.execution.seconds if report.execution else {}
        cells = [f"{seconds[state]:.2f}" if state in seconds else "" for state in states]
        cells += [str(sum(file.thumbnails for file in report.files)), str(len(report.mails))]
        status = report.execution.status if report.execution else "missing"
        first, *rest = _files(report) or [""]
        yield _line(str(report.report_id), report.task_id[-SHOWN_ID_LENGTH:], status, cells, first)
        yield from (_line("", "", "", [""] * len(cells), more) for more in rest)


def dead_letter_lines(dead_letters: Sequence[DeadLetter]) -> Iterator[str]:
    """Yield what is in the dead-letter queue, and why."""
    for letter in dead_letters:
        body = letter.body if len(letter.body) <= MAX_BODY_LENGTH else f"{letter.body[:MAX_BODY_LENGTH]}…"
        yield f"  {letter.message_id}, received {len(letter.receives)} times"
        yield f"    {body}"
        yield f"    {letter.reason}"


def summary(evidence: Evidence, seconds: float) -> dict[str, int | float]:
    """Return what ``demo.json`` holds."""
    succeeded = sum(report.succeeded for report in evidence.reports)
    return {
        "reports": len(evidence.reports),
        "succeeded": succeeded,
        "failed": len(evidence.reports) - succeeded,
        "thumbnails": evidence.thumbnails,
        "emails": evidence.mails,
        "dead_lettered": len(evidence.dead_letters),
        "redriven": sum(report.execution.redrives for report in evidence.reports if report.execution),
        "scheduled": 1 if evidence.fired.execution else 0,
        "seconds": round(seconds, 1),
    }


def _states(reports: Sequence[Report]) -> list[str]:
    """Return the names of the states that took time, in the workflow's order."""
    executions: list[Execution] = [report.execution for report in reports if report.execution]
    executions.sort(key=lambda execution: -len(execution.seconds))  # the one that went furthest has them in order
    names = dict.fromkeys(name for execution in executions for name in execution.seconds)
    return [name for name in names if any(execution.seconds.get(name, 0) >= 0.005 for execution in executions)]


def _two_lines(state: str) -> tuple[str, str]:
    first, _, second = state.partition(" ")
    return first, second


def _files(report: Report) -> list[str]:
    tries = report.execution.failed_tries if report.execution else []
    lines = []
    for file in report.files:
        verdict = "" if file.status == "accepted" else f"  {file.status}: {file.error}"
        lines.append(f"{file.name}{verdict}")
    retried = [error for error in tries if error not in {file.error for file in report.files}]
    if retried:
        then = "and worked once redriven" if report.execution and report.execution.redrives else "then worked"
        lines.append(f"  a step failed {len(retried)} times ({', '.join(dict.fromkeys(retried))}), {then}")
    return lines


def _line(report: str, execution: str, status: str, cells: Sequence[str], files: str) -> str:
    numbers = " ".join(f"{cell:>7}" for cell in cells)
    return f"{report:>6}  {execution:{SHOWN_ID_LENGTH}}  {status:9}  {numbers}  {files}".rstrip()
