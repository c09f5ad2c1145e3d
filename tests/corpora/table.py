"""Renders the verdicts on the corpora into the docs, between two marks."""

from collections import Counter
from collections.abc import Mapping, Sequence

from deploy import ROOT
from tests.corpora.asking import Verdict
from tests.corpora.fetching import Corpus

DOCUMENT = ROOT / "docs" / "reference" / "files.md"
BEGIN, END = "<!-- verdicts: make corpora -->", "<!-- /verdicts -->"
# Refusals for which a decoder had to be stopped, to be examined.
_STOPPED = frozenset({"DecoderCrashed", "DecoderOutOfMemory", "DecoderTimedOut"})


def render(found: Mapping[str, Sequence[Verdict]], corpora: Sequence[Corpus]) -> str:
    """Return two tables: verdicts by corpus and kind, and the odd files."""
    lines = [
        "| corpus | what | files | accepted: with thumbnails, without | refused |",
        "|---|---|---|---|---|",
        *(_row(corpus, found[corpus.name]) for corpus in corpora),
        "",
        "| file | verdict |",
        "|---|---|",
        *(
            f"| `{corpus.name}/{verdict.file}` | {odd} |"
            for corpus in corpora
            for verdict, odd in odd_ones(found[corpus.name])
        ),
    ]
    return "\n".join(lines) + "\n"


def odd_ones(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, str]]:
    """Return the verdicts to be examined, each with the reason."""
    odd = []
    for verdict in verdicts:
        if verdict.broken:
            odd.append((verdict, f"**{verdict.broken}**"))
        elif verdict.error in _STOPPED:
            odd.append((verdict, f"{verdict.error}, in `{verdict.refused_at}`"))
        elif verdict.refused_at == "make_thumbnails":
            odd.append((verdict, f"{verdict.kind} accepted, then {verdict.error} in `make_thumbnails`"))
    return odd


def in_document(text: str, rendered: str) -> str:
    """Return the document with the text between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{rendered}\n{END}{after}"


def _row(corpus: Corpus, verdicts: Sequence[Verdict]) -> str:
    refused = Counter(verdict.error or "no verdict" for verdict in verdicts if verdict.error or verdict.broken)
    accepted = [verdict for verdict in verdicts if not (verdict.error or verdict.broken)]
    drawn = Counter(verdict.kind for verdict in accepted if verdict.thumbnails)
    plain = Counter(verdict.kind for verdict in accepted if not verdict.thumbnails)
    cells = (
        f"{corpus.name} {corpus.version}",
        corpus.of,
        str(len(verdicts)),
        f"{_counts(drawn)}; {_counts(plain)}",
        _counts(refused),
    )
    return f"| {' | '.join(cells)} |"


def _counts(counts: Counter[str]) -> str:
    named = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number} {name}" for name, number in named) or "none"
