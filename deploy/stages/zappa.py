"""Prepare Django in ``.build/zappa/`` and run Zappa there.

``python -m deploy.stages.zappa --stage dev deploy`` (or ``update``, ``package``, ``status``, ``"manage" smoke``, …)

Zappa zips its working folder and the packages of a virtual environment. Both contain only what the web process needs:
an exclusion list could miss a folder with secrets. Names in braces in ``deploy/zappa_settings.json`` are parameters or
outputs of the deployed stack; ``--without-stack package`` leaves them, to test the packaging without AWS.
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
# Zappa packages for the Python that it runs on.
PYTHON = sys.executable if sys.version_info[:2] == LAMBDA_PYTHON else ".".join(map(str, LAMBDA_PYTHON))
# The folders that the web process reads; functions run separately.
FOLDERS = ("backend", "workflows", "state_machines")
_LEFT_OUT = ("__pycache__", "*.pyc", "db.sqlite3", "*.po", "graphs")
_SOURCES = ("--no-binary", "placebo")  # pure Python, published as source alone
_PACKAGING = frozenset({"deploy", "package", "update"})  # the others read the settings alone
_LISTS = frozenset({"VpcSubnetIds", "VpcSecurityGroupIds"})


class ZappaNotReady(DeployError):
    """Zappa cannot run; the text has the failed step and what to do."""


def fill(settings: Any, values: Mapping[str, str]) -> Any:
    """Return the settings with each ``{Name}`` replaced. Raises ZappaNotReady for a missing value."""
    if isinstance(settings, dict):
        return {name: fill(value, values) for name, value in settings.items()}
    if not (isinstance(settings, str) and settings.startswith("{")):
        return settings
    name = settings.strip("{}")
    if name not in values:
        raise ZappaNotReady(f"{SETTINGS_FILE.name}: the stack has no parameter or output {name}. Deploy it first.")
    return [part for part in values[name].split(",") if part] if name in _LISTS else values[name]


def complete(settings: Any, values: Mapping[str, str]) -> Any:
    """Return the filled settings, without an empty VPC configuration."""
    host = urlsplit(values.get("PublicUrl", "")).hostname or ""
    filled = fill(settings, {**values, "PublicHost": host})
    for stage in filled.values():
        if not stage.get("vpc_config", {}).get("SubnetIds", True):
            del stage["vpc_config"]
    return filled


def read_stack(stack_name: str, region: str) -> dict[str, str]:
    """Return the deployed stack's parameters and outputs by name. Raises ZappaNotReady."""
    try:
        found = boto3.client("cloudformation", region).describe_stacks(StackName=stack_name)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        raise ZappaNotReady(f"The stack {stack_name} in {region} cannot be read: {error}") from error
    parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
    return parameters | {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


def copy_sources(folder: Path, settings: Any) -> None:
    """Create the folder that Zappa zips: our code, static files and settings."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    # Zappa makes a package of every folder with Python files: this one would shadow the module locale.
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
    """Create Zappa's virtual environment: the group ``server`` of uv.lock, checked by hash, and Zappa."""
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
    """Run Zappa in the folder, isolated from our environment; return its exit code."""
    uv = str(ROOT / ".venv" / "bin" / "uv")
    command = [uv, "tool", "run", "--python", PYTHON, "--from", ZAPPA, "zappa", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | {"VIRTUAL_ENV": str(venv)}, check=False).returncode  # noqa: S603


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ZappaNotReady(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.strip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return Zappa's exit code, or 2 if it could not start."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stages.zappa", description="Run Zappa for a stage.")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--without-stack", action="store_true", help="Leave the settings unfilled, for package.")
    parser.add_argument("--platform", choices=sorted(PLATFORMS), default="linux-arm64")
    parser.add_argument("command", help="Zappa's: deploy, update, package, manage, status, rollback, …")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="Arguments of the command after the stage.")
    given = parser.parse_args(arguments)
    folder, venv = BUILD_DIR / given.stage, BUILD_DIR / "venv"
    try:
        settings = json.loads(SETTINGS_FILE.read_text(encoding="utf-8"))
        if not given.without_stack:
            stage = read_stage(given.stage)
            settings = complete(settings, read_stack(stage.stack_name, stage.region))
        if given.command in _PACKAGING or not venv.exists() or not folder.exists():
            copy_sources(folder, settings)
            install(venv, given.platform)
    except ZappaNotReady as error:
        print(error, file=sys.stderr)
        return 2
    return zappa(folder, venv, [given.command, given.stage, *given.rest])


if __name__ == "__main__":
    sys.exit(main())
