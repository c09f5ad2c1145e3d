"""Checks that commands, targets, settings and modules named in the pages exist."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]  # it has no types
from sphinx.util import logging

from deploy import ROOT

logger = logging.getLogger(__name__)
COMMAND = re.compile(r"(?:manage\.py|manage) ([a-z_]+)")
TARGET = re.compile(r"\bmake ([a-z-]+)")
MODULE = re.compile(r"python -m ((?:lambdas|deploy|workflows|tests|docs)[\w.]*)")
SETTING = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
OF_DJANGO = {"check", "collectstatic", "createsuperuser", "makemigrations", "migrate", "runserver", "shell", "startapp"}
OF_LIBRARIES = {"AWS_DISABLE_HOST_PREFIX_INJECTION", "DJANGO_SUPERUSER_PASSWORD"}


def report_unknown_names(_app: Any, doctree: nodes.document) -> None:
    """Warn of each name in code that the project does not have."""
    for node in doctree.findall(lambda one: isinstance(one, nodes.literal | nodes.literal_block)):
        for name in unknown_names(node.astext()):
            logger.warning("%s is unknown: not in the Makefile, the commands or the code", name, location=node)


def unknown_names(code: str) -> Iterator[str]:
    """Yield the commands, targets, modules and settings in code that do not exist."""
    yield from (f"manage.py {name}" for name in COMMAND.findall(code) if name not in commands())
    yield from (f"make {name}" for name in TARGET.findall(code) if name not in targets())
    yield from (name for name in MODULE.findall(code) if not list(ROOT.glob(f"{name.replace('.', '/')}*")))
    yield from (name for name in SETTING.findall(code) if name not in capitals())


@cache
def commands() -> set[str]:
    """Return the names of the management commands."""
    return {file.stem for file in (ROOT / "backend").glob("**/management/commands/*.py")} | OF_DJANGO


@cache
def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def capitals() -> set[str]:
    """Return every name in capitals of the code and the configuration."""
    listed = ["git", "ls-files", ":!*.md", ":!*.json", ":!*.po", ":!tests/test_documentation.py"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603  fixed arguments
    texts = ((ROOT / file).read_text(encoding="utf-8", errors="ignore") for file in files if (ROOT / file).is_file())
    return OF_LIBRARIES.union(*map(SETTING.findall, texts))
