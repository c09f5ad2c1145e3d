"""Where a check is in a definition, and what was found so far."""

from dataclasses import dataclass, field, replace

from asl_engine.definition.diagnostics import ERROR, SCHEMA_VALIDATION_FAILED, WARNING, Diagnostic


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a definition. Places of one check share the list of what was found."""

    express: bool
    machine_jsonata: bool
    jsonata: bool
    location: str = ""
    error_output: bool = False
    found: list[Diagnostic] = field(default_factory=list)

    def at(self, name: str) -> "Place":
        """Return the place of a field here."""
        return replace(self, location=f"{self.location}/{name}")

    def item(self, index: int) -> "Place":
        """Return the place of an element here."""
        return replace(self, location=f"{self.location}[{index}]")

    def speaking(self, *, jsonata: bool) -> "Place":
        """Return this place under a query language."""
        return replace(self, jsonata=jsonata)

    def catching(self) -> "Place":
        """Return this place as part of a catcher, where ``$states.errorOutput`` is there."""
        return replace(self, error_output=True)

    def within_express(self) -> "Place":
        """Return this place as part of a machine, or of children, of type EXPRESS."""
        return replace(self, express=True)

    def refuse(self, message: str, remedy: str, code: str = SCHEMA_VALIDATION_FAILED) -> None:
        """Note an error here."""
        self.found.append(Diagnostic(code, message, self.location or "/", remedy, ERROR))

    def warn(self, code: str, message: str, remedy: str) -> None:
        """Note a warning here."""
        self.found.append(Diagnostic(code, message, self.location or "/", remedy, WARNING))
