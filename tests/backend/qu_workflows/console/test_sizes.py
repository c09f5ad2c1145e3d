"""Pages at their documented sizes, with generous limits; ``make bench`` has the real ones."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from qu_workflows.executions.queries import clear_snapshots
from tests.backend.qu_workflows.console.browser.reading import make_operator
from tests.backend.qu_workflows.console.running import Workflows
from tests.backend.qu_workflows.console.scenes import a_day, fill_many
from tests.backend.qu_workflows.console.sizes import GRAPH_MS, PAGE_MS, fill_all, graph_ms, page_ms
from tests.backend.qu_workflows.dead_letter_queues import UNFIT, UNKNOWN, DeadLetterQueue, good

# Others may use the processor meanwhile.
GENEROUS = 4


@pytest.fixture
def client(transactional_db: None) -> Client:  # noqa: ARG001  as the workflows want it
    signed_in = Client()
    signed_in.force_login(make_operator())
    return signed_in


@pytest.mark.slow
def test_every_page_comes_in_time_at_every_size(
    client: Client, workflows: Workflows, dead_letters: DeadLetterQueue
) -> None:
    pages = fill_all(workflows, dead_letters)

    taken = {name: page_ms(client, address, rounds=5) for name, address in pages.items()}

    slow = {name: round(ms) for name, ms in taken.items() if ms > GENEROUS * PAGE_MS}
    assert not slow, f"{slow} ms, of {taken}"


def test_the_graph_of_200_states_is_drawn_in_time() -> None:
    assert graph_ms() < GENEROUS * GRAPH_MS


def test_no_page_asks_the_database_more_often_when_there_is_more(
    client: Client, workflows: Workflows, dead_letters: DeadLetterQueue
) -> None:
    day = a_day(workflows, tasks=20)
    dead_letters.put(good("dead-letter-1"))
    pages = [
        "/console/",
        "/console/tasks/",
        "/console/tasks/?status=FAILED",
        f"/console/tasks/{day.failed.pk}/",
        "/console/machines/",
        "/console/machines/guard_report/",
        "/console/dead-letters/",
        "/console/schedules/",
        "/console/schedules/watch_stuck/",
        "/console/audit/",
    ]
    before = {address: _queries(client, address) for address in pages}
    fill_many(2000, hours=20)
    dead_letters.put(UNKNOWN, UNFIT, *[good(f"more-{number}") for number in range(20)])

    after = {address: _queries(client, address) for address in pages}

    assert {address: count for address, count in after.items() if count > before[address]} == {}
    assert max(after.values()) <= 40, after


def _queries(client: Client, address: str) -> int:
    """Return the queries of a page that was requested before, with filled caches."""
    client.get(address)
    clear_snapshots()
    client.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200, address
    return len(asked)
