"""Regions of the template that are rendered, between two marks."""

from dataclasses import dataclass
from string import Template

from deploy import DeployError


class Yaml(Template):
    """A text whose fields begin with @: $ is CloudFormation's."""

    delimiter = "@"


class RegionMissing(DeployError):
    """The template does not have exactly one of a region."""

    def __init__(self, region: "Region") -> None:
        super().__init__(region)
        self.region = region

    def __str__(self) -> str:
        return (
            f"deploy/template.yaml: there is not exactly one region for {self.region.what}. "
            f"Put these two lines there:\n{self.region.begin}{self.region.end}".rstrip()
        )


@dataclass(frozen=True)
class Region:
    """One region: ``what`` is in it, and from where it is rendered."""

    what: str
    source: str
    indent: int = 2

    @property
    def begin(self) -> str:
        """The line before the region."""
        title = self.what[0].upper() + self.what[1:]
        return f"{' ' * self.indent}# ---- {title}, rendered from {self.source}: make states ----\n"

    @property
    def end(self) -> str:
        """The line after it."""
        return f"{' ' * self.indent}# ---- End of {self.what} ----\n"

    def fill(self, text: str, body: str) -> str:
        """Return the template's text with ``body`` in the region. Raises RegionMissing."""
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end or self.begin in after or self.end in before + after:
            raise RegionMissing(self)
        return before + begin + body + end + after
