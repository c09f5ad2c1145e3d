"""The imports that are followed."""

import textwrap
from pathlib import Path

from deploy.packages.closure import import_closure, imported_names


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

    assert {"workflows.contracts.base", "workflows.errors"} <= found


def test_a_class_that_a_setting_names_by_its_path_is_followed(tmp_path: Path) -> None:
    found = names_in(tmp_path, 'TASKS = {"default": {"BACKEND": "qu_workflows.tasks.backends.StepFunctionsBackend"}}')

    assert "qu_workflows.tasks.backends" in found


def test_the_packages_above_a_module_come_with_it() -> None:
    closure = import_closure(["qu_workflows.protocol.contract"])

    assert set(closure) == {"qu_workflows", "qu_workflows.protocol", "qu_workflows.protocol.contract"}


def test_names_without_a_module_are_left_out() -> None:
    assert import_closure(["os", "django.db", "workflows.nowhere"]) == {}
