"""Lays Django out for Zappa in ``.build/zappa/``, and runs Zappa there.

``python -m deploy.stages.zappa --stage dev deploy`` (or ``update``, ``package``, ``status``, ``"manage" smoke``, …)

Zappa zips the folder that it is started in and the packages of a virtual environment. Here both hold what
the web process needs and nothing else: no list of what to leave out could be relied on to keep a new
``.local`` with its secrets at home. What ``deploy/zappa_settings.json`` says in braces is a parameter or an
output of the deployed stack; ``package --without-stack`` leaves it, to try the packaging without AWS.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from deploy import ROOT, DeployError
from deploy.packages.build import LAMBDA_PYTHON, PLATFORMS
from deploy.stages import STAGES, read_stage

SETTINGS_FILE = ROOT / "deploy" / "zappa_settings.json"
BUILD_DIR = ROOT / ".build" / "zappa"
ZAPPA = "zappa==0.63.0"
# Zappa packs for the Python that it runs under. Ours where it is that one: uv need not look for another.
PYTHON = sys.executable if sys.version_info[:2] == LAMBDA_PYTHON else ".".join(map(str, LAMBDA_PYTHON))
# What the web process reads at run time. The functions' code is not in it: they run beside it.
FOLDERS = ("backend", "workflows", "state_machines")
_LEFT_OUT = ("__pycache__", "*.pyc", "db.sqlite3", "*.po", "graphs")
_SOURCES = ("--no-binary", "placebo")  # of pure Python, and published as source alone
_PACKAGING = frozenset({"deploy", "package", "update"})  # the others read the settings alone
_LISTS = frozenset({"VpcSubnetIds", "VpcSecurityGroupIds"})


class ZappaNotReady(DeployError):
    """Zappa can not be run; the text says at which step, and what to do."""


def fill(settings: Any, values: Mapping[str, str]) -> Any:
    """Return the settings with each text ``{Name}`` replaced by that value; lists by their parts.

    Raises ZappaNotReady for a name without a value.
    """
    if isinstance(settings, dict):
        return {name: fill(value, values) for name, value in settings.items()}
    if not (isinstance(settings, str) and settings.startswith("{")):
        return settings
    name = settings.strip("{}")
    if name not in values:
        raise ZappaNotReady(f"{SETTINGS_FILE.name}: the stack has no parameter or output {name}. Deploy it first.")
    return [part for part in values[name].split(",") if part] if name in _LISTS else values[name]


def complete(settings: Any, values: Mapping[str, str]) -> Any:
    """Return the settings as Zappa takes them: filled, and outside a VPC without one."""
    host = urlsplit(values.get("PublicUrl", "")).hostname or ""
    filled = fill(settings, {**values, "PublicHost": host})
    for stage in filled.values():
        if not stage.get("vpc_config", {}).get("SubnetIds", True):
            del stage["vpc_config"]
    return filled


def read_stack(stack_name: str, region: str) -> dict[str, str]:
    """Return the parameters and the outputs of the deployed stack, by name. Raises ZappaNotReady without it."""
    try:
        found = boto3.client("cloudformation", region).describe_stacks(StackName=stack_name)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        raise ZappaNotReady(f"The stack {stack_name} in {region} can not be read: {error}") from error
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
    return parameters | {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


def lay_out(folder: Path, settings: Any) -> None:
    """Make the folder that Zappa zips: our code, the static files and the settings."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    # Zappa makes a package of every folder with Python in it: this one would be taken for Python's own locale.
    (folder / "backend" / "locale" / "catalog.py").unlink()
    (folder / "zappa_settings.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{folder}:{folder / 'backend'}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_STATIC_ROOT": str(folder / "static"),
        "DATABASE_URL": "sqlite://:memory:",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    _run([sys.executable, "backend/manage.py", "collectstatic", "--noinput", "--verbosity=0"], folder, environment)


def install(venv: Path, platform: str) -> None:
    """Make the virtual environment whose packages Zappa takes: the group ``server`` as uv.lock has it, and Zappa.

    What uv.lock has is held to its hashes; Zappa, and what it needs besides, is not in it.
    """
    uv = str(ROOT / ".venv" / "bin" / "uv")
    requirements = venv.parent / "requirements.txt"
    requirements.parent.mkdir(parents=True, exist_ok=True)
    export = ["export", "--quiet", "--frozen", "--only-group", "server", "--output-file"]
    _run([uv, *export, str(requirements)], ROOT)
    _run([uv, "venv", "--quiet", "--clear", "--python", PYTHON, str(venv)], ROOT)
    target = ["--python-platform", name] if (name := PLATFORMS[platform]) else []
    pip = ["pip", "install", "--quiet", "--python", str(venv / "bin" / "python")]
    pip += ["--only-binary", ":all:", *_SOURCES, *target]
    _run([uv, *pip, "--require-hashes", "--requirement", str(requirements)], ROOT)
    _run([uv, *pip, ZAPPA], ROOT)


def zappa(folder: Path, venv: Path, arguments: Sequence[str]) -> int:
    """Run Zappa, apart from our own environment, in the folder, and return its exit code."""
    uv = str(ROOT / ".venv" / "bin" / "uv")
    command = [uv, "tool", "run", "--python", PYTHON, "--from", ZAPPA, "zappa", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | {"VIRTUAL_ENV": str(venv)}, check=False).returncode  # noqa: S603


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ZappaNotReady(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.strip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 2 when it could not begin, else Zappa's own exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stages.zappa", description="Run Zappa for a stage.")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--without-stack", action="store_true", help="Do not read the stack: for package.")
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default="linux-arm64")
    parser.add_argument("command", help="Zappa's: deploy, update, package, manage, status, rollback, …")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="What the command takes after the stage.")
    given = parser.parse_args(arguments)
    folder, venv = BUILD_DIR / given.stage, BUILD_DIR / "venv"
    try:
        settings = json.loads(SETTINGS_FILE.read_text(encoding="utf-8"))
        if not given.without_stack:
            stage = read_stage(given.stage)
            settings = complete(settings, read_stack(stage.stack_name, stage.region))
        if given.command in _PACKAGING or not venv.exists() or not folder.exists():
            lay_out(folder, settings)
            install(venv, given.platform)
    except ZappaNotReady as error:
        print(error, file=sys.stderr)
        return 2
    return zappa(folder, venv, [given.command, given.stage, *given.rest])


if __name__ == "__main__":
    sys.exit(main())
