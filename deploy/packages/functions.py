"""The functions in ``lambdas/``, their dependency groups and source files."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy import ROOT
from deploy.packages.closure import BACKEND, import_closure, packages_reached, source_of
from deploy.packages.needs import NeedsInvalid, line_of_needs, read_needs
from lambdas.shared.runtime.needs import StepNeeds

# The dependency group in pyproject.toml by the package that a function imports; the first match applies.
GROUPS = {"django": "database-functions", "lambdas.shared.decoding": "media-functions"}
OTHER_GROUP = "lambdas"
# The settings of the functions with a database, and the modules that Django loads from each app.
SETTINGS = "config.functions"
LOADED_MODULES: tuple[str, ...] = ("apps", "models", "tasks", "signals")


@dataclass(frozen=True)
class Function:
    """One Lambda function: its folder in ``lambdas/`` and its dependency group in ``pyproject.toml``."""

    name: str
    group: str

    @property
    def needs_database(self) -> bool:
        """True if it runs Django: it gets the database's secrets and few instances."""
        return self.group == GROUPS["django"]

    @property
    def handler(self) -> Path:
        """The file of its handler."""
        return ROOT / "lambdas" / self.name / "handler.py"

    @property
    def needs(self) -> StepNeeds | None:
        """The step's declaration; None for a function that is written by hand. Raises NeedsInvalid."""
        needs = read_needs(self.handler)
        if needs and needs.database != self.needs_database:
            reach = "reach" if self.needs_database else "do not reach"
            problem = f"NEEDS says database={needs.database}, but the handler's imports {reach} Django."
            raise NeedsInvalid(self.handler, line_of_needs(self.handler), problem, "Change one of the two.")
        return needs

    @property
    def resource(self) -> str:
        """The logical id in ``template.yaml``: MakeThumbnailsFunction for make_thumbnails."""
        return "".join(word.capitalize() for word in self.name.split("_")) + "Function"

    @property
    def handler_module(self) -> str:
        """The module whose ``lambda_handler`` Lambda calls."""
        return f"lambdas.{self.name}.handler"

    def source_files(self) -> dict[str, Path]:
        """Return our files in the function's zip by name: imports and Django's discoveries."""
        apps = installed_apps() if self.needs_database else {}
        modules = import_closure([self.handler_module, *(_django_modules(apps) if apps else ())])
        paths = [*modules.values(), *_templates_and_translations(apps)]
        for folder in {path.parent for path in modules.values()}:
            paths += folder.glob("*.json")
        return {
            path.relative_to(BACKEND if path.is_relative_to(BACKEND) else ROOT).as_posix(): path
            for path in sorted(paths)
        }


def find_functions(folder: Path = ROOT / "lambdas") -> tuple[Function, ...]:
    """Return a function for each folder with a handler, by name."""
    return tuple(_function(handler.parent.name) for handler in sorted(folder.glob("*/handler.py")))


def installed_apps() -> dict[str, Path]:
    """Return the folders of our apps in the functions' INSTALLED_APPS, by app name."""
    texts = [
        element.value
        for path in import_closure([SETTINGS]).values()
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INSTALLED_APPS"
        for element in ast.walk(node.value)
        if isinstance(element, ast.Constant) and isinstance(element.value, str)
    ]
    names = (text.partition(".apps.")[0] for text in texts)
    return {name: path.parent for name in names if (path := source_of(name))}


def _function(name: str) -> Function:
    reached = packages_reached(import_closure([f"lambdas.{name}.handler"]))
    return Function(name, next((group for package, group in GROUPS.items() if package in reached), OTHER_GROUP))


def _django_modules(apps: dict[str, Path]) -> Iterator[str]:
    yield SETTINGS
    for app, folder in apps.items():
        yield from (app, *(f"{app}.{module}" for module in LOADED_MODULES))
        yield from (f"{app}.templatetags.{path.stem}" for path in (folder / "templatetags").glob("*.py"))


def _templates_and_translations(apps: dict[str, Path]) -> Iterator[Path]:
    for folder in (BACKEND, *apps.values()) if apps else ():
        yield from (path for path in (folder / "templates").rglob("*") if path.is_file())
        yield from (folder / "locale").rglob("*.mo")


FUNCTIONS = find_functions()
FUNCTIONS_BY_NAME = {function.name: function for function in FUNCTIONS}
