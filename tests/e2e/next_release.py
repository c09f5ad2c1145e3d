"""The next release of the project, with one more task."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import ROOT
from deploy.local.aws.deployment import local_zip
from deploy.local.aws.stand_in import LocalAws
from deploy.local.stack import PREFIX, STAGE
from deploy.packages.build import BUILD_DIR, build_packages, unpack
from deploy.packages.functions import FUNCTIONS_BY_NAME

# As README.md has it.
TASK = '''

@async_task("count_shifts")
def count_shifts(guard_id: int) -> int:
    """Runs again after a failure: leave nothing half done."""
    from core.models import Shift

    return Shift.objects.filter(guard_id=guard_id).count()
'''
TASKS, CATALOG = "common/tasks.py", "workflows/django_tasks.json"
FUNCTIONS = ("dispatch_tasks", "run_task")


def write_release(folder: Path) -> Path:
    """Write the project with one more task into a folder; return the folder."""
    for name in ("backend", "workflows", "lambdas", "state_machines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".local"))
    with (folder / "backend" / TASKS).open("a") as tasks:
        tasks.write(TASK)
    command = [sys.executable, str(folder / "backend" / "manage.py"), "render_tasks"]
    environment = {"PATH": os.defpath, "DATABASE_URL": "sqlite://:memory:"}
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


@contextmanager
def deployed(release: Path, aws: LocalAws) -> Iterator[None]:
    """Deploy the two functions with the task catalog; restore them at the end."""
    with tempfile.TemporaryDirectory(dir=BUILD_DIR, prefix="next-release-", ignore_cleanup_errors=True) as folder:
        before = {name: _deploy(name, release, aws, Path(folder)) for name in FUNCTIONS}
        try:
            yield
        finally:
            for name, version in before.items():
                aws.functions.update_alias(FunctionName=_name(name), Name="live", FunctionVersion=version)


def _deploy(name: str, release: Path, aws: LocalAws, folder: Path) -> str:
    """Deploy a function with the release's files; return the previous version."""
    [package] = build_packages([FUNCTIONS_BY_NAME[name]], "native", BUILD_DIR)
    code = folder / name
    shutil.copytree(unpack(package), code, copy_function=os.link)  # thousands of files, two of which change
    _replace(code / CATALOG, release / CATALOG)
    _replace(code / TASKS, release / "backend" / TASKS)
    before = aws.functions.get_alias(FunctionName=_name(name), Name="live")["FunctionVersion"]
    aws.functions.update_function_code(FunctionName=_name(name), ZipFile=local_zip(code))
    version = aws.functions.publish_version(FunctionName=_name(name))["Version"]
    aws.functions.update_alias(FunctionName=_name(name), Name="live", FunctionVersion=version)
    return before


def _replace(file: Path, new: Path) -> None:
    if file.exists():  # the dispatcher has the catalog alone
        file.unlink()
        shutil.copyfile(new, file)
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()


def _name(function: str) -> str:
    return f"{PREFIX}-{STAGE}-{function}"
