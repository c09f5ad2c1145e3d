"""``python -m deploy.cost``: prints what a million tasks cost and what stops them first, and writes ``COST.md``."""

from deploy import ROOT
from deploy.cost.document import render, tables

FILE = ROOT / "deploy" / "COST.md"


def main() -> None:
    """Print the tables and write the document."""
    FILE.write_text(render(), encoding="utf-8")
    print(tables())
    print(f"\nWith all limits, measurements and sources: {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
