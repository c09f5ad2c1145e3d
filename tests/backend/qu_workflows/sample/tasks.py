"""The tasks of an app that only the tests install."""

from typing import Any

from django.contrib.auth.models import Group
from django.tasks import TaskContext, task

from qu_workflows.tasks.services import async_task


class CardDeclined(Exception):
    pass


@async_task("sample_sum")
def add(first: int, second: int = 1) -> int:
    return first + second


@task()
def name_group(name: str, times: int = 1) -> dict[str, Any]:
    """Writes to the database, so that a second run shows."""
    for _ in range(times):
        Group.objects.create(name=f"{name}-{Group.objects.count()}")
    return {"name": name}


@task()
def decline(name: str) -> None:
    Group.objects.create(name=f"{name}-{Group.objects.count()}")
    raise CardDeclined("the card\x00 was declined")


@task()
def give_back(value: Any) -> Any:
    return value


@task()
def return_a_set() -> Any:
    return {1, 2}


@task(takes_context=True)
def count_attempts(context: "TaskContext[Any, Any]", label: str) -> str:
    return f"{label} {context.attempt}"


@task()
async def wait_a_little(label: str) -> str:
    return f"waited for {label}"
