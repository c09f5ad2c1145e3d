"""The dispatcher starts one execution per message, however often it is delivered."""

import json
from collections import Counter

from tests.e2e.conftest import WholePath, eventually


def test_a_good_message_among_bad_ones_runs_once(path: WholePath, batch: dict[str, str]) -> None:
    execution = path.finished(batch["good"], "run_task")

    assert execution.status == "SUCCEEDED"
    assert json.loads(execution.output)["size_bytes"] == len("example")


def test_a_task_with_its_own_id_runs_once_despite_redeliveries(path: WholePath) -> None:
    body = json.dumps({"id": "e2e-delivered-twice", "task": "custom_processing", "payload": {"data": "twice"}})

    path.send_messages(body, body)
    path.finished("e2e-delivered-twice", "run_task")
    path.send_messages(body)

    lines = eventually(
        lambda: found if len(found := path.log("dispatch_tasks", "e2e-delivered-twice")) == 3 else [], "3 deliveries"
    )
    # While it runs, AWS answers a second start by the same name and input as it answered the first.
    statuses = Counter(line["status"] for line in lines)
    assert statuses.keys() == {"started", "already_started"}
    assert statuses.total() == 3
    assert len(path.log("run_task", "e2e-delivered-twice", "step done")) == 1
