"""The tutorial, followed as it is written."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.adopter.test_adopter import PORT, ROOT, environment, free_port

PAGE = ROOT / "docs" / "tutorial.md"
LIST = ".venv/bin/python manage.py executions list"
LEFT_OUT = {".git", ".local", ".build", "dist", ".pytest_cache", ".hypothesis"}

pytestmark = pytest.mark.xdist_group("adopter")


def blocks() -> Iterator[tuple[str, str, str]]:
    """Yield the text before each block, its language and its content."""
    text = PAGE.read_text(encoding="utf-8")
    for found in re.finditer(r"([^\n]+)\n\n```(\w+)\n(.*?)```", text, re.DOTALL):
        yield found[1], found[2], found[3]


class Reader:
    """Follows the page in a clone: files, commands, and processes in other terminals."""

    def __init__(self, folder: Path, terminals: ExitStack) -> None:
        self.folder, self.terminals = folder, terminals
        self.site = free_port()
        self.worker: subprocess.Popen[str] | None = None
        self.outputs: list[str] = []

    def follow(self, before: str, language: str, content: str) -> None:
        """Write a file, start a process in another terminal, or run commands."""
        if language == "python":
            path = self.folder / re.search(r"`([^`]+)`:$", before)[1]  # type: ignore[index]  # the page names the file
            with path.open("a" if before.startswith("Append") else "w", encoding="utf-8") as file:
                file.write("\n" + content)
            if path.name == "settings.py":  # ports that no other test has
                path.write_text(f'{path.read_text()}\nWORKER_ADDRESS = "127.0.0.1:{PORT}"\n')
        elif "run_worker" in content:
            self.start_worker(content)
        elif "runserver" in content:
            self.start(content.strip() + f" --noreload {self.site}")
            self.wait_for_site()
        else:
            self.run(content)

    def run(self, script: str) -> None:
        """Run commands, the next ones in the folder where they end."""
        shown = self.folder / ".pwd"
        ran = subprocess.run(
            ["bash", "-euc", f"{script}\npwd > {shown}"],
            cwd=self.folder, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{script}{ran.stdout}{ran.stderr}"
        self.outputs.append(ran.stdout)
        self.folder = Path(shown.read_text().strip())

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start a process that ends with the test."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=environment(), stdout=subprocess.PIPE, text=True
        )
        self.terminals.callback(process.communicate)
        self.terminals.callback(process.terminate)
        return process

    def start_worker(self, command: str) -> None:
        """Start the worker, in place of an earlier one."""
        if self.worker is not None:
            self.worker.terminate()
            self.worker.wait(20)
        self.worker = self.start(command)
        assert self.worker.stdout is not None
        assert "ready" in self.worker.stdout.readline()

    def wait_for_site(self) -> None:
        """Return once the console's sign-in page answers."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with urlopen(f"http://127.0.0.1:{self.site}/console/") as page:
                    assert page.status == 200
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError("The site does not answer.")

    def listed(self, status: str, seconds: float = 30) -> str:
        """Return the list of executions once one has a status."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.run(LIST)
            if status in self.outputs[-1]:
                return self.outputs[-1]
        raise AssertionError(f"No execution is {status}: {self.outputs[-1]}")


def clone(folder: Path) -> Path:
    """Return a folder that has the repository's files, for the packages to be built in."""
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name not in LEFT_OUT:
            (folder / path.name).symlink_to(path)
    return folder


def test_the_tutorial_leads_from_nothing_to_a_redrive(tmp_path: Path) -> None:
    with ExitStack() as terminals:
        reader = Reader(clone(tmp_path / "clone"), terminals)
        for before, language, content in blocks():
            reader.follow(before, language, content)
            if "quantity=2" in content:
                reader.listed("SUCCEEDED")
            elif "quantity=11" in content:
                assert "ValueError" in reader.listed("FAILED")
        until = time.monotonic() + 20
        reader.run(LIST)
        while reader.outputs[-1].count("SUCCEEDED") < 2:
            assert time.monotonic() < until, reader.outputs[-1]
            reader.run(LIST)
