"""Insert generated tables into Markdown pages."""

import re
from collections.abc import Iterable, Mapping, Sequence


def fill(page: str, blocks: Mapping[str, str]) -> str:
    """Return a page with each block between ``<!-- name: … -->`` and ``<!-- /name -->``.

    Raises ValueError for a block without marks.
    """
    for name, text in blocks.items():
        page, times = re.subn(
            rf"(<!-- {re.escape(name)}: [^>]*-->\n).*?(<!-- /{re.escape(name)} -->)",
            lambda marks, text=text: f"{marks[1]}\n{text}\n\n{marks[2]}",  # type: ignore[misc]  # bound on purpose
            page,
            flags=re.DOTALL,
        )
        if times != 1:
            raise ValueError(f"The page has {times} pairs of marks for {name}. Write <!-- {name}: … --> exactly once.")
    return page


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; integers get thousands separators."""
    return "\n".join((_line(head), f"|{'---|' * len(head)}", *map(_line, rows)))


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
