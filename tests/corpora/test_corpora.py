"""Both functions give a timely verdict on every file of the corpora."""

import pytest

from tests.corpora.asking import Verdict
from tests.corpora.fetching import Corpus, read_corpora
from tests.corpora.running import run
from tests.corpora.table import DOCUMENT, in_document, render

CORPORA = read_corpora()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found() -> dict[str, list[Verdict]]:
    return run(CORPORA)


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.name)
def test_every_file_of_a_corpus_gets_its_verdict_in_time(corpus: Corpus, found: dict[str, list[Verdict]]) -> None:
    verdicts = found[corpus.name]

    assert len(verdicts) > 50
    assert [(verdict.file, verdict.broken) for verdict in verdicts if verdict.broken] == []


def test_the_documented_table_matches_the_run(found: dict[str, list[Verdict]]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert in_document(text, render(found, CORPORA)) == text, "Run make corpora, and check the changes."
