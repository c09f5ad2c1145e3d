"""Keeps the Spanish catalog in step with the code: ``python backend/locale/catalog.py``.

Reads every translatable text of the backend's Python files and templates, merges them into
``django.po`` (new texts arrive empty, gone ones are dropped), and compiles ``django.mo``. Needs
babel and Django, no gettext. Exits with 1 and names the texts that have no Spanish yet.
"""
# ruff: noqa: INP001  as a package it would shadow the standard library's locale

import sys
from collections.abc import Iterable, Iterator
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
PO_FILE = Path(__file__).with_name("es") / "LC_MESSAGES" / "django.po"
MO_FILE = PO_FILE.with_suffix(".mo")
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
    """Yield the texts of a Django template, by way of the Python that Django makes of it."""
    return extract_python(BytesIO(templatize(file.read().decode()).encode()), keywords, tags, options)


def source_catalog() -> Catalog:
    """Return every text of the backend, untranslated."""
    catalog = Catalog(locale="es", project="QU Workflows", fuzzy=False)
    for path, method in _sources():
        with path.open("rb") as file:
            for _line, text, comments, context in extract(method, file, KEYWORDS, comment_tags=["Translators:"]):
                place: Any = [(str(path.relative_to(BACKEND)), None)]  # a line number would change every day
                catalog.add(text, locations=place, auto_comments=comments, context=context)
    return catalog


def read_catalog() -> Catalog:
    """Return the Spanish catalog as it is committed."""
    with PO_FILE.open("rb") as file:
        return read_po(file, locale="es")


def compiled(catalog: Catalog) -> bytes:
    """Return the .mo of a catalog: the same bytes for the same texts."""
    buffer = BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def untranslated(catalog: Catalog) -> Iterator[str]:
    """Yield the texts without a Spanish one, and those that somebody still has to confirm."""
    for message in catalog:
        texts = message.string if isinstance(message.string, tuple | list) else [message.string]
        if message.id and (message.fuzzy or not all(texts)):
            yield str(message.id)


def update() -> Catalog:
    """Bring ``django.po`` and ``django.mo`` up to date, and return the catalog."""
    catalog = read_catalog()
    catalog.update(source_catalog(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.revision_date = catalog.creation_date  # else each run would change the file
    catalog.msgid_bugs_address = catalog.last_translator = ""
    buffer = BytesIO()
    write_po(buffer, catalog, width=120, sort_output=True, ignore_obsolete=True)
    PO_FILE.write_bytes(buffer.getvalue())
    MO_FILE.write_bytes(compiled(read_catalog()))
    return catalog


def _sources() -> Iterator[tuple[Path, Any]]:
    for path in sorted(BACKEND.rglob("*.py")):
        if not {"migrations", "locale"} & set(path.relative_to(BACKEND).parts):
            yield path, "python"
    for folder in [BACKEND / "templates", *sorted(BACKEND.glob("*/**/templates"))]:  # the project's, then each app's
        for path in sorted(folder.rglob("*.*")):
            if path.suffix in {".html", ".txt"}:
                yield path, extract_template


def main() -> int:
    """Update the catalog; return 1 while a text has no Spanish."""
    if not settings.configured:
        settings.configure()
    missing = list(untranslated(update()))
    for text in missing:
        sys.stderr.write(f"No Spanish yet: {text}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
