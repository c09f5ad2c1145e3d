"""Runs the command lines of both functions on files, and requires timely answers."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import ROOT

HANG_SECONDS = 10.0
_START_SECONDS = 20.0  # of a process, before its first answer
_BATCH = 150  # files on one command line


@dataclass(frozen=True)
class Verdict:
    """Verdict of both functions on a file; ``error`` is the refusal, "" if accepted.

    ``broken`` names a fault: no answer, a late answer, or an invalid line.
    """

    file: str
    kind: str
    media_type: str
    error: str
    thumbnails: int
    seconds: float
    peak_mb: float
    refused_at: str = ""
    broken: str = ""


def verdicts_on(folder: Path, files: Sequence[Path]) -> list[Verdict]:
    """Return both functions' verdict on every file, in the order given."""
    facts = _ask_all("lambdas.inspect_file", files)
    accepted = [path for path in files if facts[path].get("verdict") == "accepted"]
    with tempfile.TemporaryDirectory() as out:
        drawn = _ask_all("lambdas.make_thumbnails", accepted, "--out", out)
    return [_verdict(path.relative_to(folder).as_posix(), facts[path], drawn.get(path)) for path in files]


def _verdict(name: str, facts: dict[str, Any], drawn: dict[str, Any] | None) -> Verdict:
    both = [facts] if drawn is None else [facts, drawn]
    refused = next((answer for answer in both if answer.get("verdict") != "accepted"), None)
    return Verdict(
        file=name,
        kind=facts.get("kind", ""),
        media_type=facts.get("media_type", ""),
        error=refused.get("error", "") if refused else "",
        thumbnails=len(drawn.get("thumbnails") or ()) if drawn else 0,
        seconds=max(float(answer.get("seconds", 0)) for answer in both),
        peak_mb=max(float(answer.get("peak_mb") or 0) for answer in both),
        refused_at="" if refused is None else "inspect_file" if refused is facts else "make_thumbnails",
        broken=next((fault for fault in map(_fault, both) if fault), ""),
    )


def _fault(answer: dict[str, Any]) -> str:
    """Return the fault of an answer, "" if it is a timely verdict."""
    if "broken" in answer:
        return str(answer["broken"])
    if answer.get("verdict") not in {"accepted", "rejected"}:
        return f"no verdict: {answer}"
    if answer["verdict"] == "rejected" and not (answer.get("error") and answer.get("reason")):
        return f"refused without a name or a reason: {answer}"
    if float(answer["seconds"]) > HANG_SECONDS:
        return f"took {answer['seconds']} s"
    return ""


def _ask_all(module: str, files: Sequence[Path], *arguments: str) -> dict[Path, dict[str, Any]]:
    answers: dict[Path, dict[str, Any]] = {}
    waiting = list(files)
    while waiting:
        batch = waiting[:_BATCH]
        answers.update(zip(batch, _answers(module, batch, *arguments), strict=False))
        waiting = [path for path in waiting if path not in answers]
    return answers


def _answers(module: str, files: Sequence[Path], *arguments: str) -> Iterator[dict[str, Any]]:
    """Yield an answer for each file, up to the first that is missing."""
    command = [sys.executable, "-m", module, *arguments, "--", *map(str, files)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env=environment) as process,
    ):
        lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=_read, args=(process, lines), daemon=True).start()
        try:
            for number in range(len(files)):
                line = _next(lines, HANG_SECONDS + (0 if number else _START_SECONDS))
                if not line:
                    process.kill()
                    yield {"broken": _why(process, errors, hung=line is None)}
                    return
                yield json.loads(line)
            if process.wait(HANG_SECONDS):
                raise AssertionError(f"{module} ended with code {process.returncode}, having answered for each file.")
        finally:
            process.kill()


def _read(process: subprocess.Popen[bytes], lines: "queue.Queue[bytes | None]") -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(b"")


def _next(lines: "queue.Queue[bytes | None]", seconds: float) -> bytes | None:
    """Return the next line, b"" after the last, None if none came in time."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def _why(process: subprocess.Popen[bytes], errors: Any, *, hung: bool) -> str:
    if hung:
        return f"no answer within {HANG_SECONDS:g} s"
    code = process.wait()
    errors.seek(0)
    last = errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    return f"the function ended with code {code}: {''.join(last)}"
