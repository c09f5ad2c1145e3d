"""Finds the benchmarks: a new file is among the tests without being listed."""

from pathlib import Path

FOLDER = Path(__file__).parent
_FILES = sorted(FOLDER.glob("bench_*.py"))
# They measure a stack that runs already: the tests of the whole path have one.
ON_A_STACK = [path.stem for path in _FILES if "measure(stack: LocalStack)" in path.read_text(encoding="utf-8")]
BY_THEMSELVES = [path.stem for path in _FILES if path.stem not in ON_A_STACK]
