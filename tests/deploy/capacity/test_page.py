"""``capacity.md`` matches today's inputs, and the template has its choice."""

import pytest

from deploy.capacity import __main__ as command
from deploy.capacity.choice import MOST_START_SECONDS, burst, choose, production_connections, simulate, sweep
from deploy.markdown import fill
from deploy.stages import read_stage
from deploy.template.cloudformation import Template

AGAIN = "Run make capacity, and put its choice into deploy/template.yaml and deploy/samconfig.toml."


@pytest.fixture
def setting(template: Template) -> tuple[int, int]:
    """MaximumConcurrency and BatchSize of the template."""
    mapping = template["Resources"]["TasksEventSourceMapping"]["Properties"]
    return template["Parameters"]["MaximumConcurrency"]["Default"], mapping["BatchSize"]


def test_the_template_and_production_have_the_chosen_setting(setting: tuple[int, int]) -> None:
    page = command.PAGE.read_text(encoding="utf-8")

    assert fill(page, {"chosen": command.chosen_setting(setting)}) == page, AGAIN
    assert read_stage("production").parameters["MaximumConcurrency"] == str(setting[0]), AGAIN


def test_the_page_matches_todays_load_definitions_and_quotas() -> None:
    page = command.PAGE.read_text(encoding="utf-8")

    assert fill(page, {"load": command.load()}) == page, AGAIN


def test_the_template_starts_the_burst_in_time_and_loses_nothing(setting: tuple[int, int]) -> None:
    found = simulate(burst(), setting, production_connections())

    assert found.start_p95 <= MOST_START_SECONDS, AGAIN
    assert (found.throttled_starts, found.failed) == (0, 0), AGAIN


@pytest.mark.slow
def test_the_whole_sweep_chooses_the_templates_setting(setting: tuple[int, int]) -> None:
    assert choose(sweep(production_connections())) == setting, AGAIN
