"""The files of ours in a function's zip: what its handler imports, and what Django finds without an import."""

import ast
from collections.abc import Iterator
from pathlib import Path

from deploy import ROOT
from deploy.packages.closure import BACKEND, import_closure, source_of
from deploy.packages.functions import Function

# The settings of the functions with a database, and the modules that Django looks for in each of their apps.
SETTINGS = "config.functions"
LOOKED_FOR: tuple[str, ...] = ("apps", "models", "tasks", "signals")


def source_files(function: Function) -> dict[str, Path]:
    """Return every file of ours that goes into a function's zip, by its name there."""
    apps = installed_apps() if function.needs_database else {}
    modules = import_closure([function.handler_module, *(_roots(apps) if apps else ())])
    paths = [*modules.values(), *_templates_and_translations(apps)]
    for folder in {path.parent for path in modules.values()}:
        paths += folder.glob("*.json")
    return {_name_in_zip(path): path for path in sorted(paths)}


def installed_apps() -> dict[str, Path]:
    """Return the folders of our own apps among INSTALLED_APPS of the functions' settings, by the apps' names."""
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


def _roots(apps: dict[str, Path]) -> Iterator[str]:
    yield SETTINGS
    for app, folder in apps.items():
        yield from (app, *(f"{app}.{module}" for module in LOOKED_FOR))
        yield from (f"{app}.templatetags.{path.stem}" for path in (folder / "templatetags").glob("*.py"))


def _templates_and_translations(apps: dict[str, Path]) -> Iterator[Path]:
    for folder in (BACKEND, *apps.values()) if apps else ():
        yield from (path for path in (folder / "templates").rglob("*") if path.is_file())
        yield from (folder / "locale").rglob("*.mo")


def _name_in_zip(path: Path) -> str:
    root = BACKEND if path.is_relative_to(BACKEND) else ROOT
    return path.relative_to(root).as_posix()
