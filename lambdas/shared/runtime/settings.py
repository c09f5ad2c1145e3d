"""Reads a function's settings from its environment."""

import os

from qu_workflows.protocol.errors import ExplainedError


class SettingError(ExplainedError):
    """An environment variable does not hold what it should."""


def read_int(name: str, default: int, least: int = 1, most: int = 2**63) -> int:
    """Return a whole number from ``least`` to ``most``. Raises SettingError for anything else."""
    text = read_text(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        allowed = f"from {least} to {most}" if most < 2**63 else f"of {least} or more"
        raise SettingError(name, f"is {text!r}, not a whole number {allowed}.", f"Set {name}={default}, for example.")
    return int(text)


def read_text(name: str, default: str = "") -> str:
    """Return a text, "" standing for a value that is not set."""
    return os.environ.get(name, default).strip()


def require_text(name: str, meaning: str) -> str:
    """Return a text that must be set. Raises SettingError when it is not; ``meaning`` says what to set."""
    text = read_text(name)
    if not text:
        raise SettingError(name, "is not set.", f"Set it to {meaning}.")
    return text
