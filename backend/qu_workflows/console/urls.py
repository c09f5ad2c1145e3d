"""The console's addresses.

A JSON twin's address ends with ``.json`` in place of the last slash. Names begin with the section that the navigation
highlights: ``tasks``, ``tasks-redrive``.
"""

from collections.abc import Iterator

from django.urls import URLPattern, path

from qu_workflows.console.access import Endpoint
from qu_workflows.console.views import audit, dead_letters, execution, machines, overview, patterns, schedules, tasks
from qu_workflows.executions.services import BulkAction

app_name = "console"


def with_twin(route: str, view: Endpoint, name: str) -> Iterator[URLPattern]:
    """Yield the addresses of a page and its JSON twin."""
    yield path(route, view, name=name)
    yield path(f"{route.rstrip('/') or 'overview'}.json", view, {"as_json": True}, name=f"{name}-json")


urlpatterns = [
    *with_twin("", overview.overview, "overview"),
    *with_twin("tasks/", tasks.task_list, "tasks"),
    path("tasks/preview/", tasks.preview, name="tasks-preview"),
    *(path(f"tasks/act/{act}/", tasks.bulk(act), name=f"tasks-act-{act}") for act in BulkAction),
    *with_twin("tasks/<str:task_id>/", execution.execution, "tasks-execution"),
    path("tasks/<str:task_id>/graph.svg", execution.graph_svg, name="tasks-graph"),
    path("tasks/<str:task_id>/history.json", execution.history_json, name="tasks-history"),
    path("tasks/<str:task_id>/redrive/", execution.redrive, name="tasks-redrive"),
    path("tasks/<str:task_id>/restart/", execution.restart, name="tasks-restart"),
    path("tasks/<str:task_id>/stop/", execution.stop, name="tasks-stop"),
    *with_twin("machines/", machines.machine_list, "machines"),
    *with_twin("machines/<str:workflow>/", machines.machine, "machines-one"),
    path("machines/<str:workflow>/definition.json", machines.definition_json, name="machines-definition"),
    path("machines/<str:workflow>/graph.svg", machines.graph_svg, name="machines-graph"),
    *with_twin("dead-letters/", dead_letters.dead_letter_list, "dead_letters"),
    path("dead-letters/redrive/", dead_letters.redrive, name="dead_letters-redrive"),
    path("dead-letters/purge/", dead_letters.purge, name="dead_letters-purge"),
    *with_twin("dead-letters/<str:message_id>/", dead_letters.dead_letter, "dead_letters-one"),
    *with_twin("schedules/", schedules.schedule_list, "schedules"),
    *with_twin("schedules/<str:name>/", schedules.schedule, "schedules-one"),
    path("schedules/<str:name>/pause/", schedules.pause, name="schedules-pause"),
    path("schedules/<str:name>/resume/", schedules.resume, name="schedules-resume"),
    path("schedules/<str:name>/run/", schedules.run, name="schedules-run"),
    *with_twin("audit/", audit.audit, "audit"),
    *with_twin("patterns/", patterns.patterns, "patterns"),
]
