"""Hooks for a product's words and knowledge of its tasks, registered in an app's ``ready()``."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ExecutionHooks:
    """A product's words and knowledge.

    ``subject`` names what tasks are about: it is an option of the commands (``--report``), a column, a JSON key.
    ``repeated_effects`` has, by workflow, a sentence that says which effects a redrive and a restart repeat.
    """

    subject: str = "subject"
    repeated_effects: Mapping[str, str] = field(default_factory=dict)


_registered = [ExecutionHooks()]


def register(hooks: ExecutionHooks) -> None:
    """Use these hooks in this process; a later call replaces them."""
    _registered[:] = [hooks]


def registered_hooks() -> ExecutionHooks:
    """Return the hooks of this process: the registered ones, else the defaults."""
    return _registered[0]
