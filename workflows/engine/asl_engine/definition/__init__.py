"""A definition: what is wrong with it, all at once, and what it compiles to."""

from asl_engine.definition.checks import check
from asl_engine.definition.compiler import compile_program
from asl_engine.definition.diagnostics import DefinitionRefused, errors_of
from asl_engine.definition.program import Program
from asl_engine.jsontext import loads

__all__ = ["check", "compile_program", "load"]


def load(text: str, machine_type: str = "STANDARD") -> Program:
    """Return a definition compiled. Raises DefinitionRefused with every problem that keeps it from running."""
    errors = errors_of(check(text, machine_type))
    if errors:
        raise DefinitionRefused(errors)
    return compile_program(loads(text))
