"""Keeps the two Spanish catalogs in step with the code: ``python backend/locale/catalog.py``.

Reads every translatable text of the platform's and of the project's Python files and templates, merges them into
their ``django.po`` (new texts arrive empty, gone ones are dropped), and compiles ``django.mo``. Needs
babel and Django, no gettext. Exits with 1 and names the texts that have no Spanish yet.
"""
# ruff: noqa: INP001  as a package it would shadow the standard library's locale

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

BACKEND = Path(__file__).resolve().parent.parent
PLATFORM = BACKEND / "qu_workflows"


@dataclass(frozen=True)
class Part:
    """A part of the backend with its own catalog: the platform or the project."""

    folder: Path
    locale: Path

    @property
    def po_file(self) -> Path:
        """The catalog as people edit it."""
        return self.locale / "es" / "LC_MESSAGES" / "django.po"

    @property
    def mo_file(self) -> Path:
        """The catalog as Django reads it."""
        return self.po_file.with_suffix(".mo")

    def files(self, pattern: str) -> list[Path]:
        """Return the part's own files below its folder, without migrations and catalogs."""
        found = (path for path in sorted(self.folder.rglob(pattern)) if path.is_file())
        return [
            path
            for path in found
            if not {"migrations", "locale"} & set(path.relative_to(BACKEND).parts)
            and (self.folder != BACKEND or not path.is_relative_to(PLATFORM))
        ]


# Django reads the catalogs of installed apps, and the records are always installed.
PARTS = (Part(PLATFORM, PLATFORM / "records" / "locale"), Part(BACKEND, BACKEND / "locale"))
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}


def extract_template(file: IO[bytes], keywords: Any, tags: Any, options: Any) -> Iterable[Any]:
    """Yield the texts of a Django template, by the Python that Django generates."""
    return extract_python(BytesIO(templatize(file.read().decode()).encode()), keywords, tags, options)


def source_catalog(part: Part) -> Catalog:
    """Return every text of a part, untranslated."""
    catalog = Catalog(locale="es", project="QU Workflows", fuzzy=False)
    for path, method in _sources(part):
        with path.open("rb") as file:
            for _line, text, comments, context in extract(method, file, KEYWORDS, comment_tags=["Translators:"]):
                place: Any = [(str(path.relative_to(BACKEND)), None)]  # a line number would change every day
                catalog.add(text, locations=place, auto_comments=comments, context=context)
    return catalog


def read_catalog(part: Part) -> Catalog:
    """Return a Spanish catalog as it is committed."""
    with part.po_file.open("rb") as file:
        return read_po(file, locale="es")


def compiled(catalog: Catalog) -> bytes:
    """Return the .mo of a catalog: the same bytes for the same texts."""
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def untranslated(catalog: Catalog) -> Iterator[str]:
    """Yield the texts without Spanish, and those to be confirmed."""
    for message in catalog:
        texts = message.string if isinstance(message.string, tuple | list) else [message.string]
        if message.id and (message.fuzzy or not all(texts)):
            yield str(message.id)


def update(part: Part) -> Catalog:
    """Bring a part's ``django.po`` and ``django.mo`` up to date, and return the catalog."""
    catalog = read_catalog(part)
    catalog.update(source_catalog(part), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.revision_date = catalog.creation_date  # else each run would change the file
    catalog.msgid_bugs_address = catalog.last_translator = ""
    buffer = BytesIO()
    write_po(buffer, catalog, width=120, sort_output=True, ignore_obsolete=True)
    part.po_file.write_bytes(buffer.getvalue())
    part.mo_file.write_bytes(compiled(read_catalog(part)))
    return catalog


def _sources(part: Part) -> Iterator[tuple[Path, Any]]:
    yield from ((path, "python") for path in part.files("*.py"))
    for path in part.files("*.*"):
        if path.suffix in {".html", ".txt"} and "templates" in path.parts:
            yield path, extract_template


def main() -> int:
    """Update the catalogs; return 1 while a text has no Spanish."""
    if not settings.configured:
        settings.configure()
    missing = [text for part in PARTS for text in untranslated(update(part))]
    for text in missing:
        sys.stderr.write(f"No Spanish yet: {text}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
