"""Checks who imports whom, by the rules of ``[tool.importlinter]`` in pyproject.toml: ``python -m tests.import_rules``.

import-linter has wildcards for modules, but none for the packages that it reads: "backend.*" stands for those here.
Nor does it compare packages that have no package above them: whether those import each other is checked here, too.
"""

import os
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
from importlinter.cli import lint_imports

PLATFORM = "qu_workflows"


def main() -> int:
    """Check the tree of this folder and return 0 where every rule is kept."""
    root = Path.cwd()
    sys.path[:0] = [str(root), str(root / "backend"), str(root / "workflows" / "engine")]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    text = with_apps((root / "pyproject.toml").read_text(encoding="utf-8"), root / "backend")
    text = with_steps(text, root / "lambdas")
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as rules:
        rules.write(text)
        rules.flush()
        status = lint_imports(config_filename=rules.name, no_cache=True)
    cycle = cycle_of(tomllib.loads(text)["tool"]["importlinter"]["root_packages"])
    if cycle:
        sys.stdout.write(f"Broken contracts: packages import each other in a cycle: {' -> '.join(cycle)}.\n")
    return 1 if cycle else status


def with_apps(rules: str, backend: Path) -> str:
    """Return the rules with the names of the backend's packages in place of "backend.*"."""
    apps = sorted(folder.parent.name for folder in backend.glob("*/__init__.py") if folder.parent.name != PLATFORM)
    return rules.replace('"backend.*"', ", ".join(f'"{app}"' for app in apps))


def with_steps(rules: str, lambdas: Path) -> str:
    """Return the rules with each step that declares a database for "<with a database>"."""
    from deploy.packages.needs import read_needs  # of the tree that is checked

    handlers = sorted(lambdas.glob("*/handler.py"))
    steps = [file.parent.name for file in handlers if (needs := read_needs(file)) and needs.database]
    return rules.replace('"lambdas.<with a database>.** -> **",', "".join(f'"lambdas.{it}.** -> **",' for it in steps))


def cycle_of(packages: Sequence[str]) -> list[str]:
    """Return a cycle of packages, with its first one repeated, or []."""
    graph = grimp.build_graph(*packages, cache_dir=None)
    imported: dict[str, set[str]] = {package: set() for package in packages}
    for module in graph.modules:
        package = module.partition(".")[0]
        imported[package] |= {name.partition(".")[0] for name in graph.find_modules_directly_imported_by(module)}
        imported[package].discard(package)
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle[::-1]
    return []


if __name__ == "__main__":
    raise SystemExit(main())
