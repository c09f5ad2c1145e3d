"""Definitions as the API takes them: refused with AWS's text."""

from collections.abc import Sequence

from asl_engine.definition.checks import check
from asl_engine.definition.diagnostics import Diagnostic, errors_of, refusal_text
from asl_engine.server.api_errors import ApiError


def accept(definition: str, machine_type: str) -> None:
    """Raise InvalidDefinition, with every problem of a definition, unless there is none."""
    refuse(check(definition, machine_type), definition)


def refuse(diagnostics: Sequence[Diagnostic], definition: str) -> None:
    """Raise InvalidDefinition if there is an error among the problems of a definition."""
    if errors_of(diagnostics):
        raise ApiError("InvalidDefinition", refusal_text(diagnostics, definition))
