import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BACKEND = Path(__file__).parents[3] / "backend"
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\}")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("locale_catalog", BACKEND / "locale" / "catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


catalog = load()


@pytest.fixture(params=catalog.PARTS, ids=["platform", "project"])
def part(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_every_text_is_in_the_catalog_and_none_is_left_over(part: Any) -> None:
    texts = {(message.id, message.context) for message in catalog.source_catalog(part) if message.id}

    assert texts == {(message.id, message.context) for message in catalog.read_catalog(part) if message.id}
    assert len(texts) > 100


def test_the_texts_of_an_apps_own_templates_are_read_too() -> None:
    platform, project = (
        {place for message in catalog.source_catalog(part) for place, _line in message.locations}
        for part in catalog.PARTS
    )

    assert "qu_workflows/console/templates/console/base.html" in platform
    assert any(place.startswith("templates/") for place in project)
    assert not platform & project


def test_every_text_has_a_spanish_one_that_is_confirmed(part: Any) -> None:
    committed = catalog.read_catalog(part)

    assert list(catalog.untranslated(committed)) == []
    assert not committed.obsolete


def test_the_compiled_catalog_is_the_committed_one(part: Any) -> None:
    assert part.mo_file.read_bytes() == catalog.compiled(catalog.read_catalog(part)), "Run make locale."


def test_a_translation_keeps_the_places_for_values(part: Any) -> None:
    for message in catalog.read_catalog(part):
        sources = message.id if isinstance(message.id, tuple) else [message.id]
        strings = message.string if isinstance(message.string, tuple) else [message.string]
        if message.id:
            assert all(set(PLACEHOLDER.findall(text)) <= set(PLACEHOLDER.findall(sources[-1])) for text in strings)
            assert set(PLACEHOLDER.findall(strings[-1])) == set(PLACEHOLDER.findall(sources[-1]))


@pytest.mark.parametrize("flags", [["fuzzy"], []])
def test_a_text_that_is_not_confirmed_is_named(flags: list[str]) -> None:
    unfinished = catalog.Catalog(locale="es")
    unfinished.add("Guard", "Guardia" if flags else "", flags=flags)
    unfinished.add("Time", "Hora")

    assert list(catalog.untranslated(unfinished)) == ["Guard"]
