"""The files of ours that a function's zip gets."""

import pytest

from deploy.packages.contents import source_files
from deploy.packages.functions import FUNCTIONS, FUNCTIONS_BY_NAME, Function


def test_the_dispatcher_gets_the_catalog_s_files_and_nothing_of_the_backend() -> None:
    files = source_files(FUNCTIONS_BY_NAME["dispatch_tasks"])

    needed = {"workflows/django_tasks.json", "workflows/workflow_tasks.json", "qu_workflows/protocol/message.py"}
    assert needed <= files.keys()
    assert {name.partition("/")[0] for name in files} == {"lambdas", "workflows", "qu_workflows"}
    assert {name.split("/")[1] for name in files if name.startswith("qu_workflows/")} == {"__init__.py", "protocol"}
    assert not [name for name in files if name.startswith(("workflows/graphs/", "lambdas/make_thumbnails/"))]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f.needs_database], ids=lambda function: function.name)
def test_a_function_with_a_database_gets_models_templates_and_translations_but_no_web(function: Function) -> None:
    files = source_files(function)

    assert {"config/functions.py", "core/models.py", "reports/models.py"} <= files.keys()
    assert "qu_workflows/records/models.py" in files
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

    assert not [name for name in names if name.startswith(("asl_engine", "workflows/engine", "lambdas/in_process"))]
    assert "qu_workflows/tasks/in_process.py" not in names
