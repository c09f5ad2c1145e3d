"""Definitions: their problems and their compilation."""

from asl_engine.definition.checks import check
from asl_engine.definition.compiler import compile_program
from asl_engine.definition.diagnostics import DefinitionRefused, errors_of
from asl_engine.definition.program import Program
from asl_engine.jsontext import loads


def load(text: str, machine_type: str = "STANDARD") -> Program:
    """Compile a definition. Raises DefinitionRefused with all of its errors."""
    errors = errors_of(check(text, machine_type))
    if errors:
        raise DefinitionRefused(errors)
    return compile_program(loads(text))
