"""Find the system's Chromium, or install it with Debian's package manager.

``python -m tests.chromium`` is what ``make test`` calls before the tests. It always ends well: the tests of pages
are skipped without a browser, in a sentence, unless BROWSER_TESTS=required, as in CI.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REQUIRED = "required"
MISSING = (
    "The tests of the console's pages need Chromium and there is none: tried $CHROMIUM, "
    + ", ".join(NAMES)
    + ". On Debian or Ubuntu: apt-get install chromium, or name the program in CHROMIUM."
)
_INSTALL = (("apt-get", "update", "-qq"), ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"))


def find() -> Path | None:
    """Return the program, None where there is none. CHROMIUM may name it."""
    given = os.environ.get("CHROMIUM", "")
    found = (shutil.which(name) for name in ([given] if given else NAMES))
    return next((Path(path) for path in found if path), None)


def is_required() -> bool:
    """Return True if tests without a browser must fail."""
    return os.environ.get("BROWSER_TESTS", "") == REQUIRED


def install() -> None:
    """Install it as root on Debian and similar systems."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in _INSTALL:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.stderr.write(f"{' '.join(command)} ended with code {done.returncode}. {done.stderr[-500:]}\n")
            return


def main() -> None:
    """Install it if need be, and say what is missing if it still is."""
    if find() is None:
        sys.stderr.write("Installing Chromium for the tests of the console's pages.\n")
        install()
    if find() is None:
        sys.stderr.write(f"{MISSING}\n")


if __name__ == "__main__":
    main()
