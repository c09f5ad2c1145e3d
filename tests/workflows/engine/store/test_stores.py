"""The promises of every store, checked for each."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asl_engine.core.history import HistoryEvent
from asl_engine.store import Store
from asl_engine.store.memory import MemoryStore
from asl_engine.store.records import NAME_KEPT_MS, Document, ExecutionFilter, ExecutionRecord, Save
from asl_engine.store.sqlite import MIGRATIONS, SqliteStore, StoreInUse, StoreTooNew

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:orders"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "engine.db")
    yield made
    made.close()


def record(name: str = "one", **fields: Any) -> ExecutionRecord:
    given_fields: dict[str, Any] = {
        "arn": f"arn:aws:states:us-east-1:000000000000:execution:orders:{name}",
        "state_machine_arn": MACHINE,
        "name": name,
        "input": '{"a": 1}',
        "definition": "digest",
        "start_ms": 1000,
        **fields,
    }
    return ExecutionRecord(**given_fields)


def new(name: str = "one", **fields: Any) -> Save:
    return Save(record(name, **fields), state={"next": 1}, is_new=True)


def events(first: int, last: int) -> list[HistoryEvent]:
    return [
        HistoryEvent(number, number - 1, "PassStateEntered", number, {"name": f"s{number}"})
        for number in range(first, last + 1)
    ]


def test_a_saved_execution_is_loaded_unchanged(store: Store) -> None:
    save = new(version_arn="v", alias_arn="a", map_run_arn="m", trace_header="t", express=True)
    save.branches = [(1, {"state": "A"}), (2, {"state": "B", "big": 2**70})]

    assert store.save([save]) == [None]

    loaded = store.load(save.record.arn)
    assert loaded is not None
    assert (loaded.record, loaded.state, loaded.branches) == (save.record, {"next": 1}, dict(save.branches))
    assert store.execution(save.record.arn) == save.record


def test_unknown_keys_give_none(store: Store) -> None:
    assert store.load("nothing") is None
    assert store.execution("nothing") is None
    assert store.history("nothing") == []
    assert store.history_length("nothing") == 0
    assert store.document("machine", "nothing") is None


def test_a_later_save_changes_the_header_and_some_branches(store: Store) -> None:
    save = new()
    save.branches = [(1, "first"), (2, "second"), (3, "third")]
    store.save([save])
    closed = replace(save.record, status="SUCCEEDED", stop_ms=5, output="{}", error="E", cause="C")

    store.save([Save(closed, {"next": 2}, branches=[(2, "changed")], removed=[3])])

    loaded = store.load(closed.arn)
    assert loaded is not None
    assert (loaded.record, loaded.state, loaded.branches) == (closed, {"next": 2}, {1: "first", 2: "changed"})


def test_a_taken_name_returns_its_execution_and_writes_nothing(store: Store) -> None:
    store.save([new()])
    again = Save(record(input="other"), state="other", history=events(1, 3), is_new=True)

    taken = store.save([again, new("two")])

    assert taken == [record(), None]
    assert store.history(again.record.arn) == []
    assert store.execution(record().arn) == record()
    assert store.execution(record("two").arn) == record("two")


def test_a_name_is_free_ninety_days_after_its_execution_closed(store: Store) -> None:
    store.save([new(status="FAILED", stop_ms=2000)])
    first = store.load(record().arn)
    assert first is not None
    store.save([Save(first.record, "closed", branches=[(1, "old")], history=events(1, 3))])

    early, late = (new(start_ms=2000 + NAME_KEPT_MS - 1), new(start_ms=2000 + NAME_KEPT_MS))

    assert store.save([early]) == [first.record]
    assert store.save([late]) == [None]
    loaded = store.load(late.record.arn)
    assert loaded is not None
    assert (loaded.record, loaded.branches, store.history(late.record.arn)) == (late.record, {}, [])


def test_a_replacing_execution_deletes_the_closed_one(store: Store) -> None:
    closed = new(status="FAILED", stop_ms=2000)
    closed.history = events(1, 3)
    store.save([closed])
    again = new(start_ms=2001)
    again.replaces = True

    assert store.save([again]) == [None]

    assert (store.execution(again.record.arn), store.history(again.record.arn)) == (again.record, [])
    assert store.save([again]) == [again.record]  # it runs now


def test_an_open_execution_keeps_its_name(store: Store) -> None:
    store.save([new()])

    assert store.save([new(start_ms=10 * NAME_KEPT_MS)]) == [record()]


@given(
    lengths=st.lists(st.integers(1, 700), min_size=1, max_size=4),
    after=st.none() | st.integers(0, 2900),
    limit=st.integers(1, 1000),
    reverse=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_page_of_a_history_has_the_requested_events(
    store: Store, lengths: list[int], after: int | None, limit: int, reverse: bool
) -> None:
    name = f"{store.count_open(MACHINE)}"
    saves = [new(name)]
    first = 1
    for length in lengths:
        saves.append(Save(saves[0].record, {}, history=events(first, first + length - 1)))
        first += length
    store.save(saves)

    found = store.history(saves[0].record.arn, after=after, limit=limit, reverse=reverse)

    ids = range(first - 1, 0, -1) if reverse else range(1, first)
    wanted = [one for one in ids if after is None or (one < after if reverse else one > after)]
    assert [one.id for one in found] == wanted[:limit]
    assert all(one == events(one.id, one.id)[0] for one in found)
    assert store.history_length(saves[0].record.arn) == sum(lengths)


def test_histories_do_not_mix(store: Store) -> None:
    saves = [new("one"), new("two"), new("three")]
    for save in saves:
        save.history = events(1, 2)
    store.save(saves)

    assert [len(store.history(save.record.arn)) for save in saves] == [2, 2, 2]
    assert [len(store.history(save.record.arn, reverse=True)) for save in saves] == [2, 2, 2]


def test_executions_are_paged_most_recent_first(store: Store) -> None:
    store.save([new(f"{number:02}", start_ms=1000 + number // 2) for number in range(10)])
    store.save([Save(replace(record("03", start_ms=1001), redrive_ms=9000, redrive_count=1), {})])
    where = ExecutionFilter(state_machine_arn=MACHINE)

    names: list[str] = []
    after = None
    while page := store.executions(where, after=after, limit=3):
        names += [one.name for one in page]
        after = (page[-1].recent_ms, page[-1].arn)

    assert names == ["03", "08", "09", "06", "07", "04", "05", "02", "00", "01"]


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (ExecutionFilter(state_machine_arn=MACHINE), ["one", "three", "two"]),
        (ExecutionFilter(state_machine_arn="other"), []),
        (ExecutionFilter(state_machine_arn=MACHINE, status="RUNNING"), ["one", "three"]),
        (ExecutionFilter(state_machine_arn=MACHINE, redriven=True), ["three"]),
        (ExecutionFilter(state_machine_arn=MACHINE, redriven=False), ["one", "two"]),
        (ExecutionFilter(version_arn="v1"), ["one"]),
        (ExecutionFilter(alias_arn="live"), ["two"]),
        (ExecutionFilter(map_run_arn="run", status="RUNNING"), ["three"]),
    ],
)
def test_executions_are_listed_by_owner_status_and_redrive(
    store: Store, where: ExecutionFilter, names: list[str]
) -> None:
    store.save(
        [
            new("one", version_arn="v1"),
            new("two", alias_arn="live", status="FAILED", stop_ms=3),
            new("three", map_run_arn="run", redrive_count=2),
        ]
    )

    assert sorted(one.name for one in store.executions(where)) == names


def test_open_executions_are_counted_and_iterated_oldest_first(store: Store) -> None:
    store.save([new("b"), new("a"), new("c"), new("d", state_machine_arn="other")])
    store.save([Save(record("a", status="ABORTED", stop_ms=1), {})])

    assert list(store.load_open()) == [record("b").arn, record("c").arn, record("d").arn]
    assert store.count_open(MACHINE) == 2


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (new("last", start_ms=9_000), ["b", "c"]),
        (new("last", status="FAILED", stop_ms=9_100), ["c", "last"]),
        (new("last", start_ms=20_000), []),
    ],
)
def test_recently_closed_counts_back_from_the_last_start_or_end(store: Store, last: Save, found: list[str]) -> None:
    ends = {"a": 1_500, "c": 8_200, "b": 8_050}
    store.save([new("open"), *(new(name, status="FAILED", stop_ms=stop_ms) for name, stop_ms in ends.items()), last])

    assert [one.name for one in store.closed_recently(1_000)] == found


def test_nothing_closed_recently_in_an_empty_store(store: Store) -> None:
    assert store.closed_recently(1_000) == []


def test_a_document_is_replaced_and_deleted(store: Store) -> None:
    store.put_document(Document("alias", "a", {"n": 1}, parent="m", sort="1"))
    store.put_document(Document("alias", "a", {"n": 2}, parent="m", sort="2"))
    store.put_document(Document("machine", "a", {"n": 3}))

    assert store.document("alias", "a") == Document("alias", "a", {"n": 2}, parent="m", sort="2")
    store.delete_document("alias", "a")
    store.delete_document("alias", "a")
    assert store.document("alias", "a") is None
    assert store.document("machine", "a") == Document("machine", "a", {"n": 3})


@pytest.mark.parametrize("descending", [False, True])
def test_documents_are_listed_by_parent_and_pages(store: Store, descending: bool) -> None:
    for number in range(5):
        store.put_document(Document("version", f"v{number}", number, parent="m", sort=f"{number // 2}"))
    store.put_document(Document("version", "w", 9, parent="other"))

    keys: list[str] = []
    after = None
    while page := store.documents("version", "m", after=after, limit=2, descending=descending):
        keys += [one.key for one in page]
        after = (page[-1].sort, page[-1].key)

    assert keys == [f"v{number}" for number in (range(4, -1, -1) if descending else range(5))]


def test_documents_are_written_with_their_step(store: Store) -> None:
    save = new()
    save.documents = [Document("map_run", "run", {"total": 3})]
    store.save([save])

    assert store.document("map_run", "run") == Document("map_run", "run", {"total": 3})


def test_every_thread_reads_the_saves_of_others(store: Store) -> None:
    store.save([new()])
    seen: list[ExecutionRecord | None] = []

    threads = [threading.Thread(target=lambda: seen.append(store.execution(record().arn))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [record()] * 4


@pytest.fixture
def reopened(tmp_path: Path) -> Callable[[], SqliteStore]:
    return lambda: SqliteStore(tmp_path / "engine.db")


def test_a_reopened_file_has_everything(reopened: Callable[[], SqliteStore]) -> None:
    store = reopened()
    save = new()
    save.branches, save.history = [(1, "branch")], events(1, 600)
    store.save([save])
    store.close()

    again = reopened()

    loaded = again.load(save.record.arn)
    assert loaded is not None
    assert (loaded.record, loaded.branches) == (save.record, {1: "branch"})
    assert again.history(save.record.arn) == events(1, 600)
    again.close()


def test_a_failed_save_writes_nothing(reopened: Callable[[], SqliteStore]) -> None:
    store = reopened()

    with pytest.raises((TypeError, ValueError), match="serializable"):
        store.save([new("one"), Save(record("two"), state=object(), is_new=True)])

    assert store.execution(record("one").arn) is None
    assert store.save([new("one")]) == [None]
    store.close()


def test_a_file_in_use_is_refused(reopened: Callable[[], SqliteStore]) -> None:
    store = reopened()
    with pytest.raises(StoreInUse, match=r"engine\.db: another process uses this file"):
        reopened()
    store.close()
    reopened().close()


def test_a_file_of_a_newer_engine_is_refused(reopened: Callable[[], SqliteStore], tmp_path: Path) -> None:
    reopened().close()
    with sqlite3.connect(tmp_path / "engine.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()

    with pytest.raises(StoreTooNew, match="Run the newer engine"):
        reopened()

    with sqlite3.connect(tmp_path / "engine.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.close()
    reopened().close()


def test_a_commit_waits_for_the_disk(reopened: Callable[[], SqliteStore]) -> None:
    store = reopened()

    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()
