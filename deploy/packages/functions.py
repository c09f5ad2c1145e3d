"""The functions: what each is packaged with. One row per folder of ``lambdas/``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """One Lambda function: its folder in ``lambdas/`` and its dependency group in ``pyproject.toml``."""

    name: str
    group: str
    needs_database: bool = False

    @property
    def resource(self) -> str:
        """The logical id in ``template.yaml``: make_thumbnails is MakeThumbnailsFunction."""
        return "".join(word.capitalize() for word in self.name.split("_")) + "Function"

    @property
    def state(self) -> str:
        """The state in the workflows: make_thumbnails is "Make Thumbnails"."""
        return " ".join(word.capitalize() for word in self.name.split("_"))

    @property
    def handler_module(self) -> str:
        """The module whose ``lambda_handler`` Lambda calls."""
        return f"lambdas.{self.name}.handler"


FUNCTIONS: tuple[Function, ...] = (
    Function("await_acknowledgement", "database-functions", needs_database=True),
    Function("choose_person", "database-functions", needs_database=True),
    Function("dispatch_tasks", "lambdas"),
    Function("inspect_file", "media-functions"),
    Function("list_digests", "database-functions", needs_database=True),
    Function("load_report", "database-functions", needs_database=True),
    Function("make_thumbnails", "media-functions"),
    Function("record_acknowledgement", "database-functions", needs_database=True),
    Function("record_execution_status", "database-functions", needs_database=True),
    Function("record_report", "database-functions", needs_database=True),
    Function("render_email", "database-functions", needs_database=True),
    Function("run_task", "database-functions", needs_database=True),
    Function("send_email", "lambdas"),
)
FUNCTIONS_BY_NAME = {function.name: function for function in FUNCTIONS}

# Lambda's Python runtime brings these; a package that carried them too would only start slower.
RUNTIME_PACKAGES: tuple[str, ...] = ("boto3", "botocore")

# The Django apps of the functions with a database, and the modules that Django itself looks for in each.
DJANGO_APPS: tuple[str, ...] = ("qu_workflows.records", "qu_workflows.tasks", "common", "core", "reports")
DJANGO_MODULES: tuple[str, ...] = ("apps", "models", "tasks", "signals", "templatetags")
DJANGO_SETTINGS = "config.functions"
