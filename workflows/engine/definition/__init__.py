"""A definition: what is wrong with it, all at once, and what it compiles to."""

from workflows.engine.definition.checks import check
from workflows.engine.definition.compiler import compile_program
from workflows.engine.definition.diagnostics import DefinitionRefused, errors_of
from workflows.engine.definition.program import Program
from workflows.engine.jsontext import loads

__all__ = ["check", "compile_program", "load"]


def load(text: str, machine_type: str = "STANDARD") -> Program:
    """Return a definition compiled. Raises DefinitionRefused with every problem that keeps it from running."""
    errors = errors_of(check(text, machine_type))
    if errors:
        raise DefinitionRefused(errors)
    return compile_program(loads(text))
