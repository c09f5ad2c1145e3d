"""The functions: one for each folder of ``lambdas/`` with a handler, and what each is packaged with."""

from dataclasses import dataclass
from pathlib import Path

from deploy import ROOT
from deploy.packages.closure import import_closure, packages_reached

# The dependency group in pyproject.toml of a function whose imports reach a package; the first that fits.
GROUPS = {"django": "database-functions", "lambdas.shared.decoding": "media-functions"}
OTHER_GROUP = "lambdas"


@dataclass(frozen=True)
class Function:
    """One Lambda function: its folder in ``lambdas/`` and its dependency group in ``pyproject.toml``."""

    name: str
    group: str

    @property
    def needs_database(self) -> bool:
        """Whether it runs Django: it is given the database's secrets and few instances then."""
        return self.group == GROUPS["django"]

    @property
    def resource(self) -> str:
        """The logical id in ``template.yaml``: make_thumbnails is MakeThumbnailsFunction."""
        return "".join(word.capitalize() for word in self.name.split("_")) + "Function"

    @property
    def handler_module(self) -> str:
        """The module whose ``lambda_handler`` Lambda calls."""
        return f"lambdas.{self.name}.handler"


def find_functions(folder: Path = ROOT / "lambdas") -> tuple[Function, ...]:
    """Return a function for each folder with a handler, by name."""
    return tuple(_function(handler.parent.name) for handler in sorted(folder.glob("*/handler.py")))


def _function(name: str) -> Function:
    reached = packages_reached(import_closure([f"lambdas.{name}.handler"]))
    return Function(name, next((group for package, group in GROUPS.items() if package in reached), OTHER_GROUP))


FUNCTIONS = find_functions()
FUNCTIONS_BY_NAME = {function.name: function for function in FUNCTIONS}
