"""Reads settings from the environment, each value by its kind."""

import os

from django.core.exceptions import ImproperlyConfigured

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})


def read_bool(name: str, default: bool = False) -> bool:
    """Return a switch. Raises ImproperlyConfigured for a word that is neither yes nor no."""
    word = os.environ.get(name, str(default)).strip().lower()
    if word not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{name}={word!r} is neither true nor false. Set {name}=True or {name}=False.")
    return word in _TRUE


def read_int(name: str, default: int) -> int:
    """Return a whole number. Raises ImproperlyConfigured for anything else."""
    text = os.environ.get(name, "").strip()
    try:
        return int(text) if text else default
    except ValueError:
        raise ImproperlyConfigured(f"{name}={text!r} is no whole number. Set {name}={default}, say.") from None


def read_list(name: str, default: str = "") -> list[str]:
    """Return the words of a comma-separated list."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def read_text(name: str, default: str = "") -> str:
    """Return a text, "" standing for a value that is not set."""
    return os.environ.get(name, default).strip()
