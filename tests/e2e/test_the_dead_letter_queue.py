"""Messages that start nothing. Last, since three receives take time."""

import json
from pathlib import Path

from tests.e2e.conftest import POISON, TASK_TO_COME, WholePath, eventually
from tests.e2e.next_release import deployed, write_release


def test_bad_messages_are_dead_letters_after_three_receives(path: WholePath, batch: dict[str, str]) -> None:
    bad = {name: message_id for name, message_id in batch.items() if name in POISON}
    dead = eventually(
        lambda: found if set(bad.values()) <= (found := path.dead_letters()).keys() else {}, "the bad ones"
    )

    assert batch["good"] not in dead
    for name, message_id in bad.items():
        lines = path.log("dispatch_tasks", message_id)
        assert dead[message_id] == POISON[name]
        assert [line["receive_count"] for line in lines] == [1, 2, 3]
        assert {line["error"] for line in lines} == {name}
        assert all(line["reason"] for line in lines)


def test_a_message_for_a_later_release_runs_after_a_redrive(
    path: WholePath, batch: dict[str, str], tmp_path: Path
) -> None:
    message_id = batch["TaskToCome"]
    eventually(lambda: message_id in path.dead_letters(), "the message to be dead")

    shown = path.manage("dlq", "show", message_id)
    assert shown.code == 0, shown
    assert "UnknownTask" in shown.out
    assert "count_shifts" in shown.out
    too_early = path.manage("dlq", "redrive", "--id", message_id, "--yes")
    assert path.dead_letters()[message_id] == TASK_TO_COME, too_early

    release = write_release(tmp_path / "release")
    with deployed(release, path.stack.aws):
        redriven = path.manage("dlq", "redrive", "--id", message_id, "--yes", root=release)
        assert redriven.code == 0, redriven
        execution = path.finished(message_id, "run_task")

    assert execution.status == "SUCCEEDED", execution
    assert json.loads(execution.output) == 1
    assert path.recorded(message_id) == "SUCCEEDED"
    assert message_id not in path.dead_letters()
