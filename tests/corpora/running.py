"""Takes every file of every corpus through both functions."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.corpora.asking import Verdict, verdicts_on
from tests.corpora.fetching import Corpus, fetch, files_of

_AT_A_TIME = 2


def run(corpora: Sequence[Corpus]) -> dict[str, list[Verdict]]:
    """Return the verdicts by corpus. Raises CorpusNotFetched."""
    folders = [fetch(corpus) for corpus in corpora]  # one after the other: pip's finder is not made for threads
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(lambda folder: verdicts_on(folder, files_of(folder)), folders))
    return {corpus.name: verdicts for corpus, verdicts in zip(corpora, found, strict=True)}
