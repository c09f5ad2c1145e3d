"""The documentation matches the code, and its site is whole."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from deploy import ROOT
from docs.names import unknown_names
from reports.presentation import SENTENCES
from tests.prose import dead_links
from workflows.contracts.guard_report import FILE_ERRORS

README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
DOCS = ROOT / "docs"
SETTINGS = DOCS / "reference" / "settings.md"
FILES = DOCS / "reference" / "files.md"
SOURCES = ("backend", "lambdas", "deploy", "workflows")
READERS = {"read_bool", "read_int", "read_list", "read_secret", "read_text", "require_text", "get", "getenv"}
# Set for a process by who starts it, never by a person.
OF_LAMBDA = {
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
}
OF_POWERTOOLS = {
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_DISABLED",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_TRACE_DISABLED",
}
OF_THE_LOCAL_STACK = {
    "DEMO_PASSWORD",
    "QU_FUNCTIONS_LOG",
    "QU_INSTANCES_PER_FUNCTION",
    "QU_OVERLAY",
    "QU_RUNTIME_PACKAGES",
}
OF_DECODERS = {"VIPS_CONCURRENCY"}
NOT_FOR_PEOPLE = OF_DECODERS | OF_LAMBDA | OF_POWERTOOLS | OF_THE_LOCAL_STACK | {"DJANGO_SETTINGS_MODULE", "PATH"}
# Read by a library from its name alone, or put together from another name.
READ_ELSEWHERE = {
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SFN",
    "DATABASE_URL",
    "DATABASE_URL_SECRET",
    "DJANGO_SECRET_KEY_SECRET",
    "STATE_MACHINE_ARNS",
}
_NAME = re.compile(r"_?[A-Z][A-Z0-9_]{2,}")


def settings_read_in(source: str) -> Iterator[str]:
    """Yield the environment variables that a module reads, by literal or constant."""
    tree = ast.parse(source)
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _is_reader(node.func):
            name = node.args[0]
        elif isinstance(node, ast.Subscript) and _is_environ(node.value):
            name = node.slice
        else:
            continue
        value = name.value if isinstance(name, ast.Constant) else constants.get(getattr(name, "id", ""))
        if isinstance(value, str) and _NAME.fullmatch(value):
            yield value


def _is_reader(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id in READERS - {"get"}
    return isinstance(function, ast.Attribute) and (function.attr == "getenv" or _is_environ(function.value))


def _is_environ(value: ast.expr) -> bool:
    return getattr(value, "attr", getattr(value, "id", "")) == "environ"


def settings_read() -> set[str]:
    files = (file for folder in SOURCES for file in (ROOT / folder).rglob("*.py"))
    return {name for file in files for name in settings_read_in(file.read_text(encoding="utf-8"))}


def settings_listed() -> set[str]:
    """The names in the first columns of the page of settings."""
    rows = (line.split("|")[1] for line in SETTINGS.read_text(encoding="utf-8").splitlines() if line.startswith("| `"))
    return {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}


def rows_of(document: Path, heading: str) -> dict[str, list[str]]:
    """Return the rows of a heading's first table, by the code in the first cell."""
    section = document.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {row[0].strip("`"): row[1:] for row in cells[2:]}


def test_the_names_of_settings_are_found_however_they_are_read() -> None:
    source = (
        'import os\nNAME = "ONE_SETTING"\nread_text(NAME)\nos.environ["TWO"]\nos.environ.get("THREE")\nenviron["FOUR"]'
    )

    assert set(settings_read_in(source)) == {"ONE_SETTING", "TWO", "THREE", "FOUR"}


def test_every_setting_that_is_read_is_documented() -> None:
    read = settings_read() - NOT_FOR_PEOPLE

    assert len(read) > 30
    assert sorted(read - settings_listed()) == []


def test_every_setting_that_is_documented_is_read() -> None:
    assert sorted(settings_listed() - settings_read() - READ_ELSEWHERE) == []


def test_every_refusal_is_documented_with_what_people_read() -> None:
    documented = {error: row[-1] for error, row in rows_of(FILES, "Refusals").items()}

    assert documented == {error.__name__: SENTENCES[error.__name__] for error in FILE_ERRORS}


def test_the_documented_limits_are_those_of_the_functions() -> None:
    listed = rows_of(FILES, "What a decoder may do")
    source = (ROOT / "lambdas" / "shared" / "decoding" / "job.py").read_text(encoding="utf-8")

    assert set(listed) == set(settings_read_in(source))


def test_the_documented_versions_of_decoders_are_the_locked_ones() -> None:
    cells = " ".join(row[0] for row in rows_of(FILES, "Libraries").values())
    locked = (ROOT / "uv.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r'name = "([a-z0-9-]+)"\nversion = "([^"]+)"', locked))

    assert [name for name in ("pyvips", "pi-heif", "av", "pypdfium2") if f"{name} {versions[name]}" not in cells] == []
    assert f"Pillow {versions['pillow']}" in cells
    assert f"libvips {versions['pyvips-binary']}" in cells


@pytest.mark.parametrize("document", [README, CONTRIBUTING], ids=lambda path: path.stem)
def test_what_a_document_links_or_runs_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")

    assert list(dead_links(document, text)) == []
    assert list(unknown_names(" ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)))) == []


@pytest.mark.parametrize(
    ("code", "unknown"),
    [
        ("make check && make pancakes", ["make pancakes"]),
        ("python backend/manage.py executions list; manage.py undo", ["manage.py undo"]),
        ("python -m deploy.local up; python -m deploy.remote", ["deploy.remote"]),
        ("USE_ASYNC_TASKS=True USE_NO_TASKS=1", ["USE_NO_TASKS"]),
    ],
)
def test_unknown_names_in_code_are_found(code: str, unknown: list[str]) -> None:
    assert list(unknown_names(code)) == unknown


def test_the_example_of_a_workflow_test_passes(state_machine: object) -> None:
    page = (DOCS / "how-to" / "test-a-workflow.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], names)  # noqa: S102  the page is ours
    [example] = [value for name, value in names.items() if name.startswith("test_")]

    example(state_machine)


def test_the_example_of_a_step_is_the_handler() -> None:
    page = (DOCS / "how-to" / "add-a-step.md").read_text(encoding="utf-8")
    shown = dedent(re.findall(r" *```python\n(.*?) *```", page, re.DOTALL)[0])

    assert shown == (ROOT / "lambdas" / "load_report" / "handler.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    run_sphinx(DOCS, folder)
    return folder


def run_sphinx(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    options = ["-W", "--keep-going", "-q", "-d", f"{target}-cache"]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_site_requests_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    loaded = re.compile(r"""(?:src|srcset)=["'](?:https?:)?//|<link[^>]+href=["'](?:https?:)?//""")

    assert len(pages) > 20
    assert [page.name for page in pages if loaded.search(page.read_text(encoding="utf-8"))] == []
    styles = [style.read_text(encoding="utf-8") for style in site.rglob("*.css")]
    assert [style for style in styles if re.search(r"@import|url\(\s*[\"']?(https?:)?//", style)] == []


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("how-to/operate.html", "redrive-failed-executions"),
        ("reference/settings.html", "database"),
        ("explanation/costs.html", "a-million-tasks-three-designs"),
        ("reference/files.html", "refusals"),
        ("how-to/add-a-step.html", "add-a-step"),
    ],
)
def test_the_index_leads_to_what_people_look_for(site: Path, page: str, heading: str) -> None:
    index = (site / "index.html").read_text(encoding="utf-8").split("<article", 1)[1].split("</article>", 1)[0]

    assert f'href="{page}' in index
    assert f'id="{heading}"' in (site / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["[a page](nowhere.md)", "[a heading](index.md#nothing)", "`make pancakes`"])
def test_a_broken_page_fails_the_build(tmp_path: Path, text: str) -> None:
    source = tmp_path / "docs"
    shutil.copytree(DOCS / "static", source / "static")
    (source / "conf.py").write_text((DOCS / "conf.py").read_text(encoding="utf-8"), encoding="utf-8")
    (source / "index.md").write_text("# Index\n\n## Nothing else\n", encoding="utf-8")
    sound = run_sphinx(source, tmp_path / "sound")
    (source / "index.md").write_text(f"# Index\n\n{text}\n", encoding="utf-8")

    broken = run_sphinx(source, tmp_path / "broken")

    assert (sound.returncode, broken.returncode) == (0, 1), sound.stderr + broken.stderr
    assert "WARNING" in broken.stderr


def test_the_settings_in_the_readme_are_those_of_the_tutorial() -> None:
    snippet = README.read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = [line.split("  #")[0].rstrip("]") for line in snippet.splitlines()]

    assert len(lines) == 5
    assert [line for line in lines if line not in tutorial] == []
