"""The contract of each step, from the annotations of its handler's source."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

LAMBDAS = Path(__file__).parents[2] / "lambdas"

type StepContract = tuple[type[BaseModel], type[BaseModel]]


def step_contracts() -> dict[str, StepContract]:
    """Return each step's input and output by its state's name. No handler is imported."""
    return {
        " ".join(map(str.capitalize, path.parent.name.split("_"))): _contract(path)
        for path in sorted(LAMBDAS.glob("*/handler.py"))
        if "\nNEEDS = " in path.read_text(encoding="utf-8")
    }


def _contract(handler: Path) -> StepContract:
    tree = ast.parse(handler.read_bytes())
    models: dict[str, Any] = {
        alias.name: getattr(import_module(node.module), alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("workflows.contracts.")
        for alias in node.names
    }
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "lambda_handler"]
    given, answered = function.args.args[0].annotation, function.returns
    assert given, f"{handler}: annotate the handler's input and output with models of workflows/contracts."
    assert answered, f"{handler}: annotate the handler's input and output with models of workflows/contracts."
    return models[ast.unparse(given)], models[ast.unparse(answered)]
