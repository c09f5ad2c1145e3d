"""Reads a function's settings from its environment."""

import os

from qu_workflows.protocol.errors import ExplainedError


class SettingError(ExplainedError):
    """An environment variable is missing or invalid."""


def read_int(name: str, default: int, least: int = 1, most: int = 2**63) -> int:
    """Return an integer from ``least`` to ``most``. Raises SettingError."""
    text = read_text(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        allowed = f"from {least} to {most}" if most < 2**63 else f"of {least} or more"
        raise SettingError(name, f"is {text!r}, not a whole number {allowed}.", f"Set {name}={default}, for example.")
    return int(text)


def read_text(name: str, default: str = "") -> str:
    """Return a stripped text, by default "" if not set."""
    return os.environ.get(name, default).strip()


def require_text(name: str, meaning: str) -> str:
    """Return a required text. Raises SettingError, with ``meaning`` as the remedy."""
    text = read_text(name)
    if not text:
        raise SettingError(name, "is not set.", f"Set it to {meaning}.")
    return text
