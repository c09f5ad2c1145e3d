"""Test a deployed stage: ``python -m deploy.stages.smoke --stage dev``.

Requests ``/livez/`` and, with the database, ``/healthz/``; then ``manage.py smoke`` enqueues a harmless task and
follows it through queue, dispatcher and execution to its row. That command runs in Zappa's function (``--task zappa``)
or in this environment (``--task here``: the local stack, or a shell beside the container).
"""

import argparse
import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy import ROOT, DeployError
from deploy.stages import STAGES, Stage, read_stage

# Includes a cold start after a deployment and the first connection to the database.
SITE_SECONDS = 60.0
PATHS = ("/livez/", "/healthz/")
_ZAPPA_SETTINGS = ROOT / "deploy" / "zappa_settings.json"


class SmokeTestFailed(DeployError):
    """The stage does not work; the text has the failed step and the reason."""


def ask_site(url: str, within_seconds: float = SITE_SECONDS) -> None:
    """Return once every address answers 200. Raises SmokeTestFailed after the time limit."""
    end = time.monotonic() + within_seconds
    for path in PATHS:
        while fault := _fault(f"{url}{path}"):
            if time.monotonic() >= end:
                raise SmokeTestFailed(f"{url}{path}: {fault}")
            time.sleep(1)


def _fault(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  from our own file or the command line
            return "" if response.status == 200 else f"answered {response.status}"
    except urllib.error.HTTPError as error:
        return f"answered {error.code}: {error.read(300).decode(errors='replace')}"
    except OSError as error:  # URLError, or a connection reset
        return f"does not answer: {error}"


def run_by_zappa(function_name: str, region: str) -> str:
    """Run ``manage.py smoke`` in Zappa's function; return the end of its log."""
    config = Config(read_timeout=90, retries={"mode": "standard", "total_max_attempts": 1})  # not twice
    try:
        answer = boto3.client("lambda", region, config=config).invoke(
            FunctionName=function_name, Payload=json.dumps({"manage": "smoke"}).encode(), LogType="Tail"
        )
    except (ClientError, BotoCoreError) as error:
        raise SmokeTestFailed(f"The function {function_name} cannot be invoked: {error}") from error
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    if "FunctionError" in answer:
        raise SmokeTestFailed(f"{function_name}: {answer['Payload'].read().decode(errors='replace')}\n{log}")
    return log


def run_here() -> str:
    """Run ``manage.py smoke`` in this environment; return its output."""
    command = [sys.executable, "backend/manage.py", "smoke"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SmokeTestFailed(f"{done.stdout}{done.stderr}".strip())
    return done.stdout


def zappa_function(stage: Stage) -> str:
    """Return the name of the stage's function from Zappa."""
    project = json.loads(_ZAPPA_SETTINGS.read_text(encoding="utf-8"))["base"]["project_name"]
    return f"{project}-{stage.name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the smoke test; return 0 if every step succeeds, else 1."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stages.smoke", description="Test a deployed stage.")
    parser.add_argument("--stage", choices=STAGES, required=True)
    parser.add_argument("--url", help="The site; default: PublicUrl in deploy/samconfig.toml.")
    places = ("zappa", "here", "none")
    parser.add_argument("--task", choices=places, default="zappa", help="Where manage.py smoke runs.")
    given = parser.parse_args(arguments)
    stage = read_stage(given.stage)
    tasks: dict[str, Callable[[], str]] = {
        "zappa": lambda: run_by_zappa(zappa_function(stage), stage.region),
        "here": run_here,
        "none": lambda: "skipped\n",
    }
    url = (given.url or stage.public_url).rstrip("/")
    try:
        began = time.monotonic()
        ask_site(url)
        print(f"{time.monotonic() - began:6.2f} s  {url} is live and reaches its database")
        began = time.monotonic()
        print(tasks[given.task](), end="")
        print(f"{time.monotonic() - began:6.2f} s  manage.py smoke, by: {given.task}")
    except SmokeTestFailed as failure:
        print(f"The smoke test of {stage.name} failed. {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
