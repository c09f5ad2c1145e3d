"""The shop's tasks."""

from qu_workflows.tasks.services import async_task


@async_task("count_words")
def count_words(text: str) -> int:
    """Return the number of words."""
    return len(text.split())
