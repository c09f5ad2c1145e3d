"""Server time of the console's pages at their promised sizes, on PostgreSQL.

The reference is the limit: 300 ms for a page, 200 ms for the graph of 200 states, at the median. Step Functions is
the project's own engine behind its API; its answers are cached, as for the second reader of a page.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tests.benchmarks.report import Row, report, sized

if TYPE_CHECKING:
    from tests.backend.qu_workflows.console.running import Workflows
    from tests.backend.qu_workflows.dead_letter_queues import DeadLetterQueue

ROUNDS = sized(15)


@contextmanager
def site() -> Iterator[tuple["Workflows", "DeadLetterQueue"]]:
    """Run the database, Step Functions and the queues, and set Django up for them."""
    from deploy.local.postgres import start_postgres

    with tempfile.TemporaryDirectory(prefix="qu-bench-") as folder, ExitStack() as held:
        postgres = start_postgres(Path(folder) / "postgres")
        held.callback(postgres.stop)
        credentials = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
        os.environ.update(
            **credentials,
            AWS_DEFAULT_REGION="us-east-2",
            DATABASE_URL=postgres.url,
            DJANGO_SETTINGS_MODULE="config.settings",
            TASK_LOG_LEVEL="WARNING",
        )
        import django

        django.setup()
        yield held.enter_context(_served())


@contextmanager
def _served() -> Iterator[tuple["Workflows", "DeadLetterQueue"]]:
    from django.core.management import call_command
    from django.db import connections
    from django.test import override_settings
    from moto import mock_aws

    from qu_workflows.dead_letters import receiving
    from tests.backend.qu_workflows.console.running import Workflows
    from tests.backend.qu_workflows.dead_letter_queues import make_queues

    call_command("migrate", verbosity=0)
    receiving.WAIT_SECONDS = 0  # moto is one server, and has no false empty answers
    workflows, chosen = Workflows(), SimpleNamespace()
    workflows.server.start()
    os.environ["AWS_ENDPOINT_URL_SFN"] = workflows.server.url
    with mock_aws():
        queues = make_queues(cast("Any", chosen))
        with override_settings(**vars(chosen), ALLOWED_HOSTS=["testserver"]):
            workflows.begin()
            yield workflows, queues
            workflows.end()
    workflows.server.stop()
    connections.close_all()


def measure(workflows: "Workflows", dead_letters: "DeadLetterQueue") -> list[Row]:
    """Make everything large, and measure each page and the graph."""
    from django.test import Client

    from tests.backend.qu_workflows.console.browser.reading import make_operator
    from tests.backend.qu_workflows.console.sizes import GRAPH_MS, PAGE_MS, fill_all, graph_ms, page_ms

    pages = fill_all(workflows, dead_letters)
    client = Client()
    client.force_login(make_operator())
    rows = [Row(name, page_ms(client, address, ROUNDS), "ms", PAGE_MS, 1) for name, address in pages.items()]
    return [*rows, Row("graph of 200 states", graph_ms(), "ms", GRAPH_MS, 1)]


def main() -> int:
    """Measure, report, and return the exit code."""
    with site() as (workflows, dead_letters):
        return report("console", measure(workflows, dead_letters))


if __name__ == "__main__":
    sys.exit(main())
