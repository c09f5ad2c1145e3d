"""Checks who imports whom, by the rules of ``[tool.importlinter]`` in pyproject.toml: ``python -m tests.import_rules``.

import-linter has wildcards for modules, but none for the packages that it reads: "backend.*" stands for those here.
"""

import os
import sys
import tempfile
from pathlib import Path

from importlinter.cli import lint_imports

PLATFORM = "qu_workflows"


def main() -> int:
    """Check the tree of this folder and return 0 where every rule is kept."""
    root = Path.cwd()
    sys.path[:0] = [str(root), str(root / "backend"), str(root / "workflows" / "engine")]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as rules:
        rules.write(with_apps((root / "pyproject.toml").read_text(encoding="utf-8"), root / "backend"))
        rules.flush()
        return lint_imports(config_filename=rules.name, no_cache=True)


def with_apps(rules: str, backend: Path) -> str:
    """Return the rules with the names of the backend's packages in place of "backend.*"."""
    apps = sorted(folder.parent.name for folder in backend.glob("*/__init__.py") if folder.parent.name != PLATFORM)
    return rules.replace('"backend.*"', ", ".join(f'"{app}"' for app in apps))


if __name__ == "__main__":
    raise SystemExit(main())
