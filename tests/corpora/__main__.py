"""``make corpora``: takes every file of the corpora through the functions, and documents the verdicts."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from tests.corpora.asking import Verdict
from tests.corpora.fetching import CACHE, CorpusNotFetched, read_corpora
from tests.corpora.running import run
from tests.corpora.table import DOCUMENT, in_document, render


def main() -> int:
    """Return 0 if all files have a verdict, 1 if not, 2 without a corpus."""
    corpora, started = read_corpora(), time.monotonic()
    try:
        found = run(corpora)
    except CorpusNotFetched as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rendered = render(found, corpora)
    DOCUMENT.write_text(in_document(DOCUMENT.read_text(encoding="utf-8"), rendered), encoding="utf-8")
    sys.stdout.write(f"{rendered}\n{summary(found)} {time.monotonic() - started:.0f} s.\n")
    return 1 if any(verdict.broken for verdicts in found.values() for verdict in verdicts) else 0


def summary(found: Mapping[str, Sequence[Verdict]]) -> str:
    """Store all verdicts as JSON, and return the extremes."""
    (CACHE / "verdicts.json").write_text(
        json.dumps({name: [asdict(verdict) for verdict in verdicts] for name, verdicts in found.items()}, indent=1),
        encoding="utf-8",
    )
    every = [(name, verdict) for name, verdicts in found.items() for verdict in verdicts]
    slowest = max(every, key=lambda entry: entry[1].seconds)
    largest = max(every, key=lambda entry: entry[1].peak_mb)
    return (
        f"{len(every):,} files; slowest {slowest[0]}/{slowest[1].file}: {slowest[1].seconds:.1f} s; "
        f"most memory {largest[0]}/{largest[1].file}: {largest[1].peak_mb:.0f} MB."
    )


if __name__ == "__main__":
    sys.exit(main())
