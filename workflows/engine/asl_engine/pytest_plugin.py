"""Registers the fixture ``state_machine`` with pytest, by the distribution's entry point.

The engine is imported by the first test that uses the fixture: other test runs in the same environment pay nothing.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asl_engine.jsontext import Json
    from asl_engine.testing import ScriptedStateMachine


@pytest.fixture
def state_machine() -> "Callable[[str | Path | Mapping[str, Json]], ScriptedStateMachine]":
    """Return a state machine to test, of an ASL file's path, a definition's text, or its JSON value."""
    from asl_engine.testing import scripted

    return scripted
