"""pytest plugin with the fixture ``state_machine``, registered by the distribution's entry point.

Only a test that uses the fixture imports the engine.
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
    """Return a factory of state machines, from a path, a definition's text or its value."""
    from asl_engine.testing import scripted

    return scripted
