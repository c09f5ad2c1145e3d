"""The task queue and its dead-letter queue from the settings, and SQS's errors as refusals."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from qu_workflows.aws import clients as aws
from qu_workflows.protocol.refusals import OperationFailed, OperationRefused

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_BATCH_MESSAGES = 10
MAX_BATCH_BYTES = 1_048_576
MAX_DELAY_SECONDS = 900

# The values of WORKFLOW_ENGINE.
STEP_FUNCTIONS, WORKER = "step_functions", "worker"

_NO_QUEUE = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
_NO_RIGHT = frozenset({"AccessDenied", "AccessDeniedException"})


@dataclass(frozen=True)
class QueuePair:
    """The task queue and its dead-letter queue, both standard or both FIFO."""

    queue_url: str
    dlq_url: str

    @property
    def is_fifo(self) -> bool:
        """True for FIFO queues."""
        return self.dlq_url.endswith(".fifo")

    @property
    def queue_arn(self) -> str:
        """The task queue's ARN."""
        return queue_arn(self.queue_url)

    @property
    def dlq_arn(self) -> str:
        """The dead-letter queue's ARN."""
        return queue_arn(self.dlq_url)

    @property
    def queue_name(self) -> str:
        """The task queue's name."""
        return name_of(self.queue_url)

    @property
    def dlq_name(self) -> str:
        """The dead-letter queue's name."""
        return name_of(self.dlq_url)


def queue_arn(url: str) -> str:
    """Return the ARN of a queue from its URL, ``https://<host>/<account>/<name>``."""
    account, name = urlsplit(url).path.strip("/").split("/")[-2:]
    region = settings.AWS_SQS_REGION
    partition = next((f"aws-{word}" for word in ("cn", "us-gov") if region.startswith(f"{word}-")), "aws")
    return f"arn:{partition}:sqs:{region}:{account}:{name}"


def runs_on_worker() -> bool:
    """Return whether recorded tasks are run by ``manage.py run_worker``, and so sent nowhere."""
    return bool(settings.USE_ASYNC_TASKS and settings.WORKFLOW_ENGINE == WORKER)


def uses_queue() -> bool:
    """Return whether recorded tasks are sent to SQS."""
    return bool(settings.USE_ASYNC_TASKS and settings.WORKFLOW_ENGINE != WORKER)


def is_fifo() -> bool:
    """Return whether the task queue is a FIFO queue."""
    return str(settings.AWS_SQS_QUEUE_URL).endswith(".fifo")


def name_of(queue_url: str) -> str:
    """Return the name in a queue's URL."""
    return queue_url.rpartition("/")[2]


def dlq_url() -> str:
    """Return the dead-letter queue's URL. Raises OperationRefused if it is not set."""
    return _setting("AWS_SQS_DLQ_URL", "the dead-letter queue's URL (the stack's output TasksDeadLetterQueueUrl)")


def queue_pair() -> QueuePair:
    """Return both queues, after SQS has confirmed that one is the other's dead-letter queue.

    Raises OperationRefused for missing settings, or two queues that do not belong together: messages moved between
    them would be hard to find, and receiving from a queue that is no dead-letter queue produces dead letters.
    """
    pair = QueuePair(
        _setting("AWS_SQS_QUEUE_URL", "the task queue's URL (the stack's output TasksQueueUrl)"), dlq_url()
    )
    with sqs_refusals("AWS_SQS_QUEUE_URL"):
        given = aws.sqs().get_queue_attributes(QueueUrl=pair.queue_url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(given.get("Attributes", {}).get("RedrivePolicy") or "{}")
    target = str(policy.get("deadLetterTargetArn", ""))
    if target != pair.dlq_arn:
        raise OperationRefused(
            "AWS_SQS_DLQ_URL",
            f"is {pair.dlq_arn}, but {pair.queue_name} sends its dead letters to {target or 'no queue'}.",
            "Set AWS_SQS_QUEUE_URL and AWS_SQS_DLQ_URL to two queues that belong together.",
        )
    return pair


@dataclass(frozen=True)
class QueueDepth:
    """Approximate numbers of a queue's messages, up to a minute old."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """The sum of the three."""
        return self.visible + self.in_flight + self.delayed


def queue_depth(queue_url: str) -> QueueDepth:
    """Return a queue's depth. Raises errors of boto3."""
    given = aws.sqs().get_queue_attributes(
        QueueUrl=queue_url,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return QueueDepth(
        visible=int(given["ApproximateNumberOfMessages"]),
        in_flight=int(given["ApproximateNumberOfMessagesNotVisible"]),
        delayed=int(given["ApproximateNumberOfMessagesDelayed"]),
    )


@contextmanager
def sqs_refusals(setting: str = "AWS_SQS_DLQ_URL") -> Iterator[None]:
    """Turn errors of SQS into OperationRefused or OperationFailed; ``setting`` is the queue's."""
    try:
        yield
    except ClientError as error:
        raise _refusal(error, setting) from error
    except BotoCoreError as error:
        raise OperationFailed(
            "SQS",
            f"was not reached ({error}).",
            "Check the network, the credentials and AWS_SQS_REGION; try again.",
        ) from error


def _refusal(error: ClientError, setting: str) -> OperationRefused:
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    if code in _NO_QUEUE:
        return OperationRefused(
            setting, f"is {getattr(settings, setting)!r}, and that queue does not exist.", f"Set {setting} to its URL."
        )
    right = "Use credentials with the policy of the stack's output OperatorPolicyArn."
    remedy = right if code.rpartition(".")[2] in _NO_RIGHT else "Run this again; that is safe."
    return OperationFailed("SQS", f"answered {code}: {text}.", remedy)


def no_queue() -> OperationRefused:
    """Return the refusal of an operation on the queues where tasks run without one."""
    return OperationRefused("dead-letter queue", "there is none: tasks run without a queue.", "List the failed tasks.")


def _setting(name: str, what: str) -> str:
    if not uses_queue():
        raise no_queue()
    url = str(getattr(settings, name))
    if not url:
        raise OperationRefused(name, "is not set.", f"Set it to {what}.")
    if url.count("/") < 4:
        raise OperationRefused(name, f"is {url!r}, not the URL of a queue.", f"Set it to {what}.")
    return url
