"""``python -m deploy.local.manage ARGUMENTS``: manage.py with the environment of the running local stack."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy import ROOT, DeployError
from deploy.local.progress import short_path
from deploy.local.stack import AlreadyRunning, only_one

MANAGE = ROOT / "backend" / "manage.py"
LOCAL_DIR = ROOT / ".local"


class NotRunning(DeployError):
    """No local stack runs in this tree."""

    def __str__(self) -> str:
        return f"No local stack is running in {short_path(LOCAL_DIR)}. Start it with make up in another terminal."


def environment_of_stack(folder: Path) -> dict[str, str]:
    """Return the settings of the stack that runs in a folder. Raises NotRunning."""
    path = folder / "stack.env"
    if not path.is_file() or not _is_running(folder):
        raise NotRunning
    lines = path.read_text(encoding="utf-8").splitlines()
    words = (shlex.split(line)[0].partition("=") for line in lines)
    return {name: value for name, _, value in words}


def _is_running(folder: Path) -> bool:
    try:
        with only_one(folder):
            return False
    except AlreadyRunning:
        return True


def main(arguments: Sequence[str]) -> int:
    """Become manage.py; return 1 if no stack runs."""
    try:
        environment = {**os.environ, **environment_of_stack(LOCAL_DIR)}
    except NotRunning as error:
        print(error, file=sys.stderr)
        return 1
    command = [sys.executable, str(MANAGE), *arguments]
    return os.execve(command[0], command, environment)  # noqa: S606  our own interpreter


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
