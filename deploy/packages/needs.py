"""Reads ``NEEDS`` of the handlers in ``lambdas/`` from their source, without importing them."""

import ast
from pathlib import Path
from typing import Any

from deploy import ROOT, DeployError
from lambdas.shared.runtime.needs import StepNeeds

NAME = "NEEDS"


class NeedsInvalid(DeployError):
    """A handler's NEEDS cannot be read, or contradict its code."""

    def __init__(self, file: Path, line: int, problem: str, remedy: str) -> None:
        super().__init__(file, line, problem, remedy)
        self.file, self.line, self.problem, self.remedy = file, line, problem, remedy

    def __str__(self) -> str:
        path = self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file
        return f"{path}:{self.line}: {self.problem} {self.remedy}"


def read_needs(handler: Path) -> StepNeeds | None:
    """Return what a handler declares, or None if it declares nothing. Raises NeedsInvalid."""
    for node in ast.parse(handler.read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == NAME:
            return _needs(handler, node.lineno, node.value)
    return None


def line_of_needs(handler: Path) -> int:
    """Return the line where a handler declares its needs, or 1."""
    lines = handler.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(NAME)), 1)


def summary_of(handler: Path) -> str:
    """Return the first line of a handler's docstring."""
    return (ast.get_docstring(ast.parse(handler.read_bytes())) or "").partition("\n")[0]


def _needs(handler: Path, line: int, value: ast.expr) -> StepNeeds:
    if not isinstance(value, ast.Call) or value.args or ast.unparse(value.func) != StepNeeds.__name__:
        raise NeedsInvalid(handler, line, f"{NAME} is not a call of StepNeeds with keywords.", "Write StepNeeds(…).")
    arguments: dict[str, Any] = {}
    for keyword in value.keywords:
        try:
            arguments[keyword.arg or "**"] = ast.literal_eval(keyword.value)
        except ValueError:
            problem = f"{keyword.arg} of {NAME} is not a literal."
            raise NeedsInvalid(handler, keyword.value.lineno, problem, "Write its value out.") from None
    if unknown := arguments.keys() - StepNeeds.__dataclass_fields__.keys():
        remedy = f"Use {', '.join(StepNeeds.__dataclass_fields__)}."
        raise NeedsInvalid(handler, line, f"StepNeeds has no {', '.join(sorted(unknown))}.", remedy)
    return StepNeeds(**arguments)
