"""How long executions may run."""

import json
from pathlib import Path

from workflows.timeouts import MACHINE_TIMEOUT_SECONDS

STATE_MACHINES = Path(__file__).parents[2] / "state_machines"


def test_the_timeouts_are_those_of_the_rendered_state_machines() -> None:
    rendered = {
        path.name.removesuffix(".asl.json"): json.loads(path.read_text())["TimeoutSeconds"]
        for path in STATE_MACHINES.glob("*.asl.json")
    }

    assert rendered == MACHINE_TIMEOUT_SECONDS
