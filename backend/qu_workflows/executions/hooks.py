"""Hooks for a product's terms, registered in an app's ``ready()``."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ExecutionHooks:
    """A product's terms.

    ``subject`` names the subject of tasks: an option of the commands (``--report``), a column, a JSON key.
    ``repeated_effects`` says in a sentence, by workflow, which effects a redrive and a restart repeat.
    """

    subject: str = "subject"
    repeated_effects: Mapping[str, str] = field(default_factory=dict)


_registered = [ExecutionHooks()]


def register(hooks: ExecutionHooks) -> None:
    """Set the hooks of this process; a later call replaces them."""
    _registered[:] = [hooks]


def registered_hooks() -> ExecutionHooks:
    """Return the registered hooks, else the defaults."""
    return _registered[0]
