"""The closure of a module's imports among our files, read from source."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from deploy import ROOT

BACKEND = ROOT / "backend"
# Django runs with backend/ on the path, so its packages are at the top of a zip too.
SOURCE_ROOTS: tuple[Path, ...] = (ROOT, BACKEND)
# Never part of a function.
NOT_DEPLOYED = frozenset({"deploy", "tests"})
# A setting names a class by its path: "reports.files.s3_storage.SignedS3Storage".
_DOTTED_NAME = re.compile(r"[a-z_]+(\.\w+)+")


def import_closure(roots: Iterable[str]) -> dict[str, Path]:
    """Return our modules that the roots import directly or indirectly, and their packages.

    Imports inside functions and class paths in strings count. Roots that are not modules are ignored.
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


def packages_reached(closure: dict[str, Path]) -> set[str]:
    """Return a closure's module names and the top-level packages that they import."""
    names = (name for module, path in closure.items() for name in imported_names(module, path))
    return closure.keys() | {name.partition(".")[0] for name in names}


@cache
def source_of(module: str) -> Path | None:
    """Return the file of one of our modules; None for any other name."""
    if module.partition(".")[0] in {"", *NOT_DEPLOYED}:
        return None
    relative = Path(*module.split("."))
    candidates = (
        root / path for root in SOURCE_ROOTS for path in (relative / "__init__.py", relative.with_suffix(".py"))
    )
    return next((path for path in candidates if path.is_file()), None)


@cache
def imported_names(module: str, path: Path) -> tuple[str, ...]:
    """Return every name that a module may import."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return tuple(name for node in ast.walk(ast.parse(path.read_bytes())) for name in _imported_by(node, package))


def _imported_by(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=source, names=names, level=level):
            base = _absolute(package, source, level)
            yield base
            yield from (f"{base}.{alias.name}" for alias in names)
        case ast.Constant(value=str(text)) if _DOTTED_NAME.fullmatch(text):
            words = text.split(".")
            named = (".".join(words[:length]) for length in range(2, len(words) + 1))
            # The name of a package alone is that of a Django app, which functions.py adds where it is needed.
            yield from (name for name in named if not _is_package(name))


def _is_package(name: str) -> bool:
    path = source_of(name)
    return path is not None and path.name == "__init__.py"


def _absolute(package: str, source: str | None, level: int) -> str:
    if not level:
        return source or ""
    above = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*above, source] if source else above)
