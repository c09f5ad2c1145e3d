"""What the sweep chooses, and that the template and its stages have it."""

from dataclasses import replace

import pytest

from deploy.capacity.choice import MOST_START_SECONDS, Case, Setting, choose
from deploy.capacity.report import CHART_FILE, REPORT_FILE, render_chart, render_report
from deploy.capacity.study import current_case, fingerprint, read_results, run_study
from deploy.stages import read_stage
from deploy.template.cloudformation import Template

AGAIN = "Run `make capacity`, look at what it chose, and put that into deploy/template.yaml and deploy/samconfig.toml."
QUIET = Case((0.1, 0.2, 0.3, 0.4), (1.0, 2.0, 3.0, 4.0), 0, 0, 0, 0, 10)


def setting(concurrency: int, **burst: object) -> Setting:
    return Setting(concurrency, 10, replace(QUIET, **burst), QUIET)  # type: ignore[arg-type]  # names are Case's


def test_a_refused_start_decides_before_the_number_of_batches() -> None:
    settings = [setting(2, throttled_starts=5, batches=1), setting(3, throttled_invocations=9), setting(4, batches=20)]

    assert choose(settings).maximum_concurrency == 3


def test_of_two_that_refuse_as_few_starts_the_one_with_fewer_batches_wins() -> None:
    assert choose([setting(2, batches=30), setting(3, batches=20), setting(5, batches=25)]).maximum_concurrency == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"start": (0.1, MOST_START_SECONDS + 0.1, 9.0, 9.0)},
        {"dead_letters": 1},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_setting_that_starts_late_or_loses_is_never_chosen(fault: dict[str, object]) -> None:
    best_but_for_that, other = setting(2, **fault), setting(3, throttled_starts=1_000)

    assert choose([best_but_for_that, other]) is other
    with pytest.raises(ValueError, match=r"choice\.py"):
        choose([best_but_for_that])


def test_the_template_and_production_have_what_was_chosen(template: Template) -> None:
    chosen = read_results()["chosen"]
    mapping = template["Resources"]["TasksEventSourceMapping"]["Properties"]
    assert mapping["BatchSize"] == chosen["batch_size"]
    assert template["Parameters"]["MaximumConcurrency"]["Default"] == chosen["maximum_concurrency"]
    assert read_stage("production").parameters["MaximumConcurrency"] == str(chosen["maximum_concurrency"])


def test_the_results_are_of_todays_numbers_and_the_documents_of_these_results() -> None:
    results = read_results()

    assert results["inputs"] == fingerprint(), AGAIN
    assert REPORT_FILE.read_text(encoding="utf-8") == render_report(results), AGAIN
    assert CHART_FILE.read_text(encoding="utf-8") == render_chart(results), AGAIN


def test_the_chosen_settings_burst_comes_out_as_it_was_kept() -> None:
    kept, now = current_case(read_results())

    assert now == kept, AGAIN


@pytest.mark.slow
def test_the_whole_study_comes_out_as_it_was_kept() -> None:
    assert run_study(lambda _: None) == read_results(), AGAIN
