"""The shop's tasks."""

from qu_workflows.tasks.services import RunsAsWorkflow, async_task


@async_task("count_words")
def count_words(text: str) -> int:
    """Return the number of words."""
    return len(text.split())


@async_task("ship_order")
def ship_order(order_id: int, quantity: int) -> None:  # noqa: ARG001  the workflow's input
    """Ship an order: the workflow ``ship_order``."""
    raise RunsAsWorkflow("ship_order")
