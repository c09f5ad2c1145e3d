"""What is wrong with a definition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: where (a JSON Pointer), what, and how to mend it.

    ``code``, ``location`` and ``message`` are those of ValidateStateMachineDefinition; ``remedy`` is ours.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinitionDiagnostic.html
    """

    code: str
    message: str
    location: str
    remedy: str = ""
    severity: str = "ERROR"

    def __str__(self) -> str:
        return f"{self.location}: {self.message} {self.remedy}".rstrip()
