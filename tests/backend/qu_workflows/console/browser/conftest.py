"""Chromium, and a site on PostgreSQL with Step Functions and SQS."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from qu_workflows.aws import clients as aws
from tests import chromium
from tests.backend.qu_workflows.console.browser.reading import make_operator
from tests.backend.qu_workflows.console.running import Workflows
from tests.backend.qu_workflows.console.scenes import Day, a_day
from tests.backend.qu_workflows.dead_letter_queues import NO_JSON, UNFIT, UNKNOWN, DeadLetterQueue, good
from tests.backend.qu_workflows.schedules.test_services import GROUP, deploy
from workflows.schedules import SCHEDULES


@dataclass
class Site:
    """A site with a day of tasks. ``letters`` are MessageIds of dead letters."""

    url: str
    day: Day
    letters: list[str]
    operator: User


@pytest.fixture(scope="session")
def _program() -> Path:
    program = chromium.find()
    if program is None and chromium.is_required():
        pytest.fail(chromium.MISSING)
    if program is None:
        pytest.skip(chromium.MISSING)
    return program


@pytest.fixture(scope="package")
def browser(_program: Path) -> Iterator[Browser]:
    """One headless Chromium for the tests of pages."""
    # Playwright runs an event loop in this thread; Django sees one, and would refuse the tests their database.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=_program, args=["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none"]
        )
        yield launched
        launched.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(live_server: LiveServer, workflows: Workflows, dead_letters: DeadLetterQueue, settings: Settings) -> Site:
    """The site, on a day with everything that the console shows."""
    settings.AWS_SCHEDULES_GROUP_NAME = GROUP
    aws.scheduler().create_schedule_group(Name=GROUP)
    for schedule in SCHEDULES:
        deploy(schedule.name, State="DISABLED" if schedule.name == "retention_sweep" else "ENABLED")
    day = a_day(workflows)
    letters = dead_letters.put(good("dead-letter-1"), UNKNOWN, UNFIT, NO_JSON)
    return Site(live_server.url, day, letters, make_operator())
