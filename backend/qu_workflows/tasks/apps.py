"""The app's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from qu_workflows.protocol.project import Project, register_steps, set_default_project


class TasksConfig(AppConfig):
    """Tasks."""

    name = "qu_workflows.tasks"
    label = "qu_tasks"
    verbose_name = _("Tasks")

    def ready(self) -> None:
        """Let a project that registers nothing have the workflows of its apps."""
        set_default_project(_apps_project)


def _apps_project() -> Project:
    from qu_workflows.tasks.authoring import AppsProject, authored_steps

    register_steps(authored_steps)
    return AppsProject()
