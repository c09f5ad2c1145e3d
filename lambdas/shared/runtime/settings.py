"""Reads a function's settings from its environment."""

import os


class SettingError(Exception):
    """An environment variable does not hold what it should."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(name, problem, remedy)
        self.name, self.problem, self.remedy = name, problem, remedy

    def __str__(self) -> str:
        return f"{self.name} {self.problem} {self.remedy}"


def read_int(name: str, default: int) -> int:
    """Return a whole number above zero. Raises SettingError for anything else."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingError(name, f"is {text!r}, no whole number above zero.", f"Set {name}={default}, say.")
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
