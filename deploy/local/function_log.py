"""What the functions of the local stack have logged: one file for all, each line begins with its function's name."""

import json
from pathlib import Path
from typing import Any

FILE = "functions.log"


def entries(logs: Path, function: str, *words: str) -> list[dict[str, Any]]:
    """Return a function's structured log lines that have all the words, in the order they came."""
    lines = (line.partition(" ") for line in (logs / FILE).read_text(errors="replace").splitlines())
    found = [text for name, _, text in lines if name.endswith(f"-{function}") and all(word in text for word in words)]
    return [json.loads(text) for text in found if text.startswith("{")]


def steps_done(logs: Path, function: str, task_id: str) -> int:
    """Return how often a function has done its work for a task."""
    return len(entries(logs, function, task_id, "step done"))
