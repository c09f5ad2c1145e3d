"""Which of our files a function's zip gets."""

import textwrap
from pathlib import Path

import pytest

from deploy.packages.closure import import_closure, imported_names, source_files
from deploy.packages.functions import FUNCTIONS, FUNCTIONS_BY_NAME, Function


def names_in(tmp_path: Path, source: str, module: str = "workflows.sample", file: str = "sample.py") -> set[str]:
    path = tmp_path / file
    path.write_text(textwrap.dedent(source))
    return set(imported_names(module, path))


def test_every_way_to_import_is_followed(tmp_path: Path) -> None:
    found = names_in(
        tmp_path,
        """
        import qu_workflows.protocol.message
        from qu_workflows.protocol import catalog
        from . import errors
        def later():
            from qu_workflows.protocol.contract import Contract
        """,
    )

    assert found >= {
        "qu_workflows.protocol.message",
        "qu_workflows.protocol.catalog",
        "workflows.errors",
        "qu_workflows.protocol.contract",
    }


def test_a_relative_import_of_a_package_starts_at_the_package_itself(tmp_path: Path) -> None:
    found = names_in(
        tmp_path, "from .base import Contract\nfrom ..errors import StepError", "workflows.contracts", "__init__.py"
    )

    assert {"qu_workflows.protocol.contract", "workflows.errors"} <= found


def test_a_class_that_a_setting_names_by_its_path_is_followed(tmp_path: Path) -> None:
    found = names_in(tmp_path, 'TASKS = {"default": {"BACKEND": "qu_workflows.tasks.backends.StepFunctionsBackend"}}')

    assert "qu_workflows.tasks.backends" in found


def test_the_packages_above_a_module_come_with_it() -> None:
    closure = import_closure(["qu_workflows.protocol.contract"])

    assert set(closure) == {"workflows", "workflows.contracts", "qu_workflows.protocol.contract"}


def test_what_is_nobody_s_module_is_left_out() -> None:
    assert import_closure(["os", "django.db", "workflows.nowhere"]) == {}


def test_the_dispatcher_gets_the_catalog_s_files_and_nothing_of_the_backend() -> None:
    files = source_files(FUNCTIONS_BY_NAME["dispatch_tasks"])

    assert {"workflows/django_tasks.json", "workflows/workflow_tasks.json", "workflows/message.py"} <= files.keys()
    assert not [name for name in files if not name.startswith(("lambdas/dispatch_tasks/", "lambdas/", "workflows/"))]
    assert not [name for name in files if name.startswith(("workflows/graphs/", "lambdas/make_thumbnails/"))]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.needs_database], ids=lambda function: function.name)
def test_a_function_with_a_database_gets_models_templates_and_translations_but_no_web(function: Function) -> None:
    files = source_files(function)

    assert {"config/functions.py", "core/models.py", "executions/models.py", "reports/models.py"} <= files.keys()
    assert [name for name in files if name.startswith("templates/emails/")]
    assert [name for name in files if name.endswith("/es/LC_MESSAGES/django.mo")]
    assert not files.keys() & {"config/settings.py", "config/urls.py", "core/admin.py", "reports/views.py"}
    assert not [name for name in files if "/management/" in name or "/migrations/" in name or "/tests/" in name]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_carries_no_other_function(function: Function) -> None:
    folders = {
        name.split("/")[1] for name in source_files(function) if name.startswith("lambdas/") and name.count("/") > 1
    }

    assert folders <= {function.name, "shared"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_no_function_carries_the_engine_nor_what_django_runs_itself(function: Function) -> None:
    names = [str(name) for name in source_files(function)]

    assert not [name for name in names if name.startswith(("workflows/engine", "lambdas/in_process"))]
    assert "executions/in_process.py" not in names
