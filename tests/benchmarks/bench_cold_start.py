"""Import time of each function's code, and the unzipped size of its package.

Each import is a fresh process that finds what Lambda's would: the function's own package, and what the
runtime brings. Target: the dispatcher takes at most 1.3 times ``import boto3, aws_lambda_powertools``.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from deploy.packages.build import Package, build_packages, runtime_packages, unpack
from deploy.packages.functions import FUNCTIONS
from tests.benchmarks.report import Row, medians, report, sized

ROUNDS = sized(9)
REFERENCE = "boto3, aws_lambda_powertools"
DISPATCHER = "dispatch_tasks"
TARGET = 1.3
MEGABYTE = 1024 * 1024
# Enough for a function to be imported; none is called.
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-2",
    "AWS_REGION": "us-east-2",
    "DATABASE_URL": "postgres://unknown@127.0.0.1:1/none",
    "DJANGO_SECRET_KEY": "not-a-secret" * 5,
    "PATH": os.defpath,
}


def import_seconds(modules: str, *folders: Path) -> float:
    """Return how long a fresh Python takes from its start to having imported these modules."""
    code = f"import sys; sys.path[:0] = {json.dumps([str(folder) for folder in folders])}; import {modules}"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, env=ENVIRONMENT)
    return time.perf_counter() - began


def measure(packages: Sequence[Package], runtime: Path) -> list[Row]:
    """Return each function's import time beside the reference's, and its size."""
    folders = {package.function.name: unpack(package) for package in packages}
    reference, *ours = medians(
        ROUNDS,
        partial(import_seconds, REFERENCE, folders[DISPATCHER], runtime),
        *(
            partial(import_seconds, package.function.handler_module, folders[package.function.name], runtime)
            for package in packages
        ),
    )
    return [
        row
        for package, seconds in zip(packages, ours, strict=True)
        for row in rows_of(package, seconds * 1000, reference * 1000)
    ]


def rows_of(package: Package, ours_ms: float, reference_ms: float) -> list[Row]:
    """Return the two rows of a function."""
    name = package.function.name
    return [
        Row(f"{name}: import", ours_ms, "ms", reference_ms, TARGET if name == DISPATCHER else None),
        Row(f"{name}: unzipped", package.unzipped_bytes / MEGABYTE, "MiB"),
    ]


def main() -> int:
    """Build what is not built yet, measure, and return the exit code."""
    functions = sorted(FUNCTIONS, key=lambda function: function.name != DISPATCHER)
    packages = build_packages(functions[: sized(len(functions))], "native")
    return report("cold_start", measure(packages, runtime_packages()))


if __name__ == "__main__":
    sys.exit(main())
