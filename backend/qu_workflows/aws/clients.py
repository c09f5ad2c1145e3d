"""The AWS clients of the web process, each made on first use."""

from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

# A request waits for these: a queue that is down costs it seconds, not minutes.
CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5
ATTEMPTS = 2


# The worker's API takes any credentials; it answers this machine alone.
_ANY = {"aws_access_key_id": "worker", "aws_secret_access_key": "worker"}


@cache
def _client(service: str, region: str, endpoint_url: str | None = None) -> Any:
    import boto3  # takes half a second, which a process that sends nothing saves
    from botocore.config import Config

    return boto3.client(
        service,  # type: ignore[call-overload]  # one of those below
        region_name=region,
        endpoint_url=endpoint_url,
        **(_ANY if endpoint_url else {}),
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            tcp_keepalive=True,
            parameter_validation=False,  # parameters are checked when a task is recorded
            user_agent="qu-workflows",  # otherwise botocore composes one at each call, a tenth of its time
        ),
    )


def sqs() -> "SQSClient":
    """Return the SQS client."""
    client: SQSClient = _client("sqs", settings.AWS_SQS_REGION)
    return client


def s3() -> "S3Client":
    """Return the S3 client."""
    client: S3Client = _client("s3", settings.AWS_REGION)
    return client


def scheduler() -> "EventBridgeSchedulerClient":
    """Return the EventBridge Scheduler client."""
    client: EventBridgeSchedulerClient = _client("scheduler", settings.AWS_SQS_REGION)
    return client


def step_functions() -> "SFNClient":
    """Return the Step Functions client; without a worker, AWS_ENDPOINT_URL_SFN is its own endpoint, if set."""
    is_worker = settings.WORKFLOW_ENGINE == "worker"
    client: SFNClient = _client(
        "stepfunctions", settings.AWS_REGION, f"http://{settings.WORKER_ADDRESS}" if is_worker else None
    )
    return client


def logs() -> "CloudWatchLogsClient":
    """Return the CloudWatch Logs client."""
    client: CloudWatchLogsClient = _client("logs", settings.AWS_REGION)
    return client


def forget_clients() -> None:
    """Drop the clients, so that new ones read the current settings and environment."""
    _client.cache_clear()
