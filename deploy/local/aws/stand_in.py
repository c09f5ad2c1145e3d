"""The AWS stand-in of the local stack: ministack on 127.0.0.1, and boto3 clients for it."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import boto3
from botocore.config import Config

from deploy import DeployError
from deploy.local.aws.lambda_runtime import LOG_FILE_VARIABLE, RUNTIME_PACKAGES_VARIABLE
from deploy.local.aws.ministack_server import INSTANCES_VARIABLE
from deploy.local.processes import Processes

REGION: Final = "us-east-2"
ACCOUNT: Final = "000000000000"  # of the credentials below
START_TIMEOUT_SECONDS = 60
INSTANCES_PER_FUNCTION = max(2, os.cpu_count() or 2)
# Not secret: nothing but 127.0.0.1 can be reached with them. The id becomes account 000000000000.
KEY_ID, SECRET_KEY = "test", "test"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


class AwsNotReady(DeployError):
    """The AWS stand-in did not answer in time."""


class LocalAws:
    """Where the AWS stand-in listens, and a client of each of its services.

    ``sfn_endpoint`` is apart, so that another Step Functions can take its place; ``ses_endpoint`` is the mailbox.
    """

    def __init__(self, endpoint: str, sfn_endpoint: str, ses_endpoint: str) -> None:
        self.endpoint, self.sfn_endpoint, self.ses_endpoint = endpoint, sfn_endpoint, ses_endpoint
        session = boto3.Session(KEY_ID, SECRET_KEY, region_name=REGION)
        # A call is tried once: an invocation must not run again without its caller's knowledge.
        once = Config(retries={"total_max_attempts": 1}, read_timeout=120, max_pool_connections=32)
        self.cloudformation = session.client("cloudformation", endpoint_url=endpoint)
        self.functions = session.client("lambda", endpoint_url=endpoint, config=once)
        self.s3 = session.client("s3", endpoint_url=endpoint)
        self.scheduler = session.client("scheduler", endpoint_url=endpoint)
        self.secrets = session.client("secretsmanager", endpoint_url=endpoint)
        self.sqs = session.client("sqs", endpoint_url=endpoint)
        self.step_functions = session.client("stepfunctions", endpoint_url=sfn_endpoint)
        # Where CloudFormation deploys state machines to: the stand-in's own Step Functions.
        self.deployed_step_functions = session.client("stepfunctions", endpoint_url=endpoint)

    @property
    def environment(self) -> dict[str, str]:
        """What makes boto3, in any process, talk to the stand-in and to nothing else."""
        return {
            **CREDENTIALS,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_SFN": self.sfn_endpoint,
            "AWS_ENDPOINT_URL_SESV2": self.ses_endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,  # a profile of this machine must not send anything elsewhere
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }


def endpoint_of(port: int) -> str:
    """Return the endpoint of an AWS stand-in on a port."""
    return f"http://127.0.0.1:{port}"


def start_aws(
    processes: Processes,
    folder: Path,
    port: int,
    ses_endpoint: str,
    packages_dir: Path,
    *,
    sfn_endpoint: str | None = None,
    keeps_files: bool,
    wait_scale: float = 1.0,
) -> LocalAws:
    """Start ministack and return once it answers. Raises AwsNotReady, or ProcessEnded with what it said.

    ``folder`` is the local stack's. ``packages_dir`` holds what Lambda's runtime brings. ``sfn_endpoint`` is
    where another Step Functions will take the place of ministack's. ``keeps_files``: what is put into S3 is
    there again after the next start.
    """
    endpoint = endpoint_of(port)
    aws = LocalAws(endpoint, sfn_endpoint or endpoint, ses_endpoint)
    state, logs, scratch = folder / "ministack", folder / "logs", folder / "ministack" / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    environment = {
        **aws.environment,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "S3_PERSIST": "1" if keeps_files else "0",
        "S3_DATA_DIR": str(state / "s3"),
        "SFN_WAIT_SCALE": str(wait_scale),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",  # it would tidy up the machine's own containers
        "LOG_LEVEL": "INFO",
        "LAMBDA_ACCOUNT_CONCURRENCY": "0",  # unbounded: what waits for its turn is not too much
        INSTANCES_VARIABLE: str(INSTANCES_PER_FUNCTION),
        # Functions inherit ministack's environment: this is what their bootstrap needs.
        "QU_PYTHON": sys.executable,
        "QU_LAMBDA_RUNTIME": str(Path(__file__).with_name("lambda_runtime.py")),
        LOG_FILE_VARIABLE: str(logs / "functions.log"),
        RUNTIME_PACKAGES_VARIABLE: str(packages_dir),
    }
    command = [sys.executable, "-m", "deploy.local.aws.ministack_server"]
    processes.start("ministack", command, logs / "ministack.log", environment)
    wait_until_it_answers(f"{endpoint}/_ministack/health", processes.check)
    return aws


def wait_until_it_answers(url: str, check: Callable[[], None]) -> None:
    """Return once a URL answers at all. Raises AwsNotReady after a minute, or what ``check`` raises."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        check()
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  our own http://127.0.0.1
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise AwsNotReady(f"{url} did not answer in {START_TIMEOUT_SECONDS} s. Look into the logs beside it.")
