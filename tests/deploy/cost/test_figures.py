"""Complete inputs with their sources."""

import pytest

from deploy.cost.figures import MEASURED, PRICES, QUOTAS, SHAPES, THUMBNAILS_PER_FILE, NotEstimated, WorkflowShape
from deploy.packages.functions import FUNCTIONS_BY_NAME
from lambdas.make_thumbnails.thumbnail_sizes import read_thumbnail_sizes


def test_every_price_and_quota_names_the_page_of_aws() -> None:
    for name, price in PRICES.items():
        assert price.page.startswith("https://aws.amazon.com/"), name
        assert "20" in price.read, name
        assert price.usd >= 0 < price.per, name
    for name, quota in QUOTAS.items():
        assert quota.page.startswith("https://docs.aws.amazon.com/"), name


def test_a_measurement_without_samples_names_the_function_it_stands_in_for() -> None:
    assert set(MEASURED) <= set(FUNCTIONS_BY_NAME)
    for name, one in MEASURED.items():
        assert bool(one.samples) != bool(one.stand_in), name
        assert one.p50_ms <= one.p95_ms, name
        if one.stand_in:
            assert MEASURED[one.stand_in].mean_ms == one.mean_ms, name


def test_a_picture_has_as_many_thumbnails_as_the_function_makes() -> None:
    assert len(read_thumbnail_sizes()) == THUMBNAILS_PER_FILE


def test_an_entry_without_figures_is_not_estimated() -> None:
    for figures in (MEASURED, SHAPES):
        with pytest.raises(NotEstimated, match=r"figures\.toml has no figures of audit_shift"):
            figures["audit_shift"]


@pytest.mark.parametrize("shares", [{"A": 0.5, "B": 0.4}, {"A": 1.5, "B": -0.5}])
def test_shares_that_do_not_add_up_to_one_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        WorkflowShape(task="one", ways={"Ask": shares})
