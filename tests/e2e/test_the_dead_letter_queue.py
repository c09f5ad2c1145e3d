"""Where messages end that start nothing. After the other tests: three receives take their time."""

from tests.e2e.conftest import POISON, WholePath, eventually


def test_bad_messages_end_in_the_dead_letter_queue_after_three_receives_and_say_why(
    path: WholePath, batch: dict[str, str]
) -> None:
    bad = {name: message_id for name, message_id in batch.items() if name != "good"}
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
