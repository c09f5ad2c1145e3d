"""Which of our files a function needs: the closure of its imports, read from the source without running it."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from deploy import ROOT
from deploy.packages.functions import DJANGO_APPS, DJANGO_MODULES, DJANGO_SETTINGS, Function

BACKEND = ROOT / "backend"
# Django runs with backend/ on the path, so its packages are at the top of a zip as well.
SOURCE_ROOTS: tuple[Path, ...] = (ROOT, BACKEND)
OUR_PACKAGES = frozenset(
    {"workflows", "lambdas", "config", "qu_workflows", *(app.partition(".")[0] for app in DJANGO_APPS)}
)
# A setting names a class by its path: "qu_workflows.tasks.backends.StepFunctionsBackend".
_DOTTED_NAME = re.compile(r"[a-z_]+(\.\w+)+")


def source_files(function: Function) -> dict[str, Path]:
    """Return every file of ours that goes into a function's zip, by its name there."""
    modules = import_closure([function.handler_module, *_django_roots(function)])
    files = {_name_in_zip(path): path for path in modules.values()}
    for folder in {path.parent for path in modules.values()}:
        files |= {_name_in_zip(path): path for path in folder.glob("*.json")}
    if function.needs_database:
        files |= {_name_in_zip(path): path for path in _templates_and_translations()}
    return dict(sorted(files.items()))


def import_closure(roots: Iterable[str]) -> dict[str, Path]:
    """Return our modules that the roots import, directly or not, with the packages above them.

    Imports inside functions count, and so do class paths in strings. A root that is no module is left out.
    """
    found: dict[str, Path] = {}
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        path = source_of(module)
        if path is None or module in found:
            continue
        found[module] = path
        waiting += [module.rpartition(".")[0], *imported_names(module, path)]
    return found


def source_of(module: str) -> Path | None:
    """Return the file of one of our modules, None for anybody else's or for a name inside a module."""
    if module.partition(".")[0] not in OUR_PACKAGES:
        return None
    relative = Path(*module.split("."))
    candidates = (
        root / path for root in SOURCE_ROOTS for path in (relative / "__init__.py", relative.with_suffix(".py"))
    )
    return next((path for path in candidates if path.is_file()), None)


def imported_names(module: str, path: Path) -> Iterator[str]:
    """Yield every name that a module may import: a module, or a name in one."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                base = _absolute(package, source, level)
                yield base
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Constant(value=str(text)) if _DOTTED_NAME.fullmatch(text):
                yield from _prefixes(text)


def _absolute(package: str, source: str | None, level: int) -> str:
    if not level:
        return source or ""
    above = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*above, source] if source else above)


def _prefixes(dotted: str) -> Iterator[str]:
    words = dotted.split(".")
    return (".".join(words[:length]) for length in range(2, len(words) + 1))


def _django_roots(function: Function) -> list[str]:
    if not function.needs_database:
        return []
    roots = [DJANGO_SETTINGS]
    for app in DJANGO_APPS:
        roots += [app, *(f"{app}.{module}" for module in DJANGO_MODULES)]
        roots += [
            f"{app}.templatetags.{path.stem}"
            for path in (BACKEND / app.replace(".", "/") / "templatetags").glob("*.py")
        ]
    return roots


def _templates_and_translations() -> Iterator[Path]:
    for folder in (BACKEND, *(BACKEND / app.replace(".", "/") for app in DJANGO_APPS)):
        yield from (path for path in (folder / "templates").rglob("*") if path.is_file())
        yield from (folder / "locale").rglob("*.mo")


def _name_in_zip(path: Path) -> str:
    root = BACKEND if path.is_relative_to(BACKEND) else ROOT
    return path.relative_to(root).as_posix()
