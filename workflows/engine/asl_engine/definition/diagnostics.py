"""Problems of a definition, as AWS words them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asl_engine.errors import EngineError

SCHEMA_VALIDATION_FAILED = "SCHEMA_VALIDATION_FAILED"
ERROR, WARNING = "ERROR", "WARNING"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem of a definition: its place, a message and a remedy.

    ``code``, ``location`` and ``message`` are those of ValidateStateMachineDefinition: a location is a JSON
    Pointer but for its indices, which AWS writes in brackets (``/States/Pick/Choices[0]/Next``), and empty
    for a problem of the whole. ``remedy`` is ours.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
    """

    code: str
    message: str
    location: str
    remedy: str = ""
    severity: str = ERROR

    def __str__(self) -> str:
        return f"{self.location or '/'}: {self.message.rstrip().rstrip('.')}. {self.remedy}".rstrip()

    def answer(self) -> dict[str, str]:
        """Return the diagnostic as ValidateStateMachineDefinition answers it."""
        answer = {"severity": self.severity, "code": self.code, "message": self.message}
        return answer | {"location": self.location} if self.location else answer


def errors_of(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the diagnostics that are errors."""
    return [diagnostic for diagnostic in diagnostics if diagnostic.severity == ERROR]


def refusal_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the message of CreateStateMachine's InvalidDefinition for the errors of a definition."""
    listed = (f"{error.code}: {error.message} at {error.location or 'null'}" for error in errors_of(diagnostics))
    return f"Invalid State Machine Definition: '{', '.join(listed)}'"


class DefinitionRefused(EngineError):
    """A definition has errors; the text lists each with its location and remedy."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(None, "\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics
