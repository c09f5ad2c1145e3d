"""Checks the words of the project: ``python -m tests.prose [PATH ...]``.

The banned words are the last column of the glossary in CONTRIBUTING.md. A docstring's first line has at most 15 words
and does not open with an indirect question; a test's name has at most 12 words; a link in Markdown leads somewhere.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

GLOSSARY = Path("CONTRIBUTING.md")
TEXTS = {".py", ".md", ".html", ".txt", ".js", ".css", ".yaml", ".yml", ".toml", ".po", ""}
# Data and quotations: the words of a file, a table or AWS are not ours.
DATA = re.compile(
    r"(uv\.lock$|.*/vendor/|.*/migrations/|tests/(corpora|fuzzing|histories|conformance)/.*\.(json|txt|toml)$)"
)
QUOTATION = "# AWS's words"  # at the end of a line
# Class names of step errors are ErrorEquals in deployed state machines, so they stay.
STEP_ERRORS = "|".join(
    re.findall(r"^class (\w+)", Path("workflows/errors.py").read_text(encoding="utf-8"), re.MULTILINE)
)
QUOTED = re.compile(rf'`[^`]*`|db_column="\w*"|\b(?:{STEP_ERRORS})\b')
FIRST_LINE_WORDS = 15
TEST_NAME_WORDS = 12
INDIRECT = re.compile(
    r"(In|Of|By|From|To|At|On|For|As|With) (what|which|whom|whose)\b"
    r"|(What|How|Whether|Which|Whose|Who|When|Where|Why|That|As)\b"
)
LINK = re.compile(r"(?<!`)\[[^\]\[]*\]\(([^)\s]+)\)")


def main(paths: Sequence[str]) -> int:
    """Print the faults of the files, by default all; return 1 if there are any."""
    banned = banned_words(GLOSSARY.read_text(encoding="utf-8"))
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [line for name in names if _is_text(name) for line in faults(Path(name), banned)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


def banned_words(glossary: str) -> re.Pattern[str]:
    """Return a pattern for the banned words of the glossary, in prose and in names."""
    rows = [line.split("|") for line in glossary.splitlines() if line.startswith("|") and line.count("|") == 4]
    words = [word for row in rows for word in re.findall(r"`([^`]+)`", row[3])]
    prose = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=len, reverse=True))
    camel = "|".join(word.title() for word in words if word.isalpha())
    return re.compile(rf"(?<![A-Za-z])(?i:{prose})(?![a-z])|(?<=[a-z])(?:{camel})(?![a-z])")


def faults(path: Path, banned: re.Pattern[str]) -> Iterator[str]:
    """Yield ``path:line: what is wrong`` for one file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if _is_quotation(path, line):
            continue
        for match in banned.finditer(QUOTED.sub("", line)):
            yield f"{path}:{number}: {match[0]!r} is not a word of the glossary in CONTRIBUTING.md"
    if path.suffix == ".py" and "/migrations/" not in str(path):
        yield from (f"{path}:{line}: {what}" for line, what in docstring_faults(ast.parse(text)))
    if path.suffix == ".md":
        yield from (f"{path}: the link {link!r} leads nowhere" for link in dead_links(path, text))


def docstring_faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and fault of docstrings and of test names."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        number = getattr(node, "lineno", 1)
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if len(first.split()) > FIRST_LINE_WORDS:
            yield number, f"the docstring's first line has over {FIRST_LINE_WORDS} words"
        if INDIRECT.match(first):
            yield number, f"the docstring opens with {first.split()[0]!r}: begin with a verb or a noun phrase"
        name = getattr(node, "name", "")
        if name.startswith("test_") and name.count("_") > TEST_NAME_WORDS:
            yield number, f"the test's name has over {TEST_NAME_WORDS} words"


def dead_links(path: Path, text: str) -> Iterator[str]:
    """Yield a page's relative links without a file or heading."""
    for link in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        target, _, heading = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        page = path.parent / target if target else path
        if not page.exists() or (heading and page.suffix == ".md" and heading not in anchors(page)):
            yield link


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-") for heading in headings}


def _is_quotation(path: Path, line: str) -> bool:
    is_glossary = path == GLOSSARY and line.startswith("|")
    return is_glossary or (path.suffix == ".po" and line.startswith("msgstr")) or line.endswith(QUOTATION)


def _is_text(name: str) -> bool:
    path = Path(name)
    return path.is_file() and path.suffix in TEXTS and not DATA.match(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
