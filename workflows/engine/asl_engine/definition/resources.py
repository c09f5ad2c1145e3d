"""Resources of Task states: the service, the integration pattern, and whether AWS has it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

# The empty pattern is Request Response.
# https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
_TOKEN, _SYNC, _SYNC2 = "waitForTaskToken", "sync", "sync:2"
_CALLBACK = ("", _TOKEN)
_JOB = ("", _SYNC)
_PLAIN = ("",)
_INTEGRATIONS: dict[str, dict[tuple[str, ...], str]] = {
    "apigateway": {_CALLBACK: "invoke"},
    "athena": {_JOB: "startQueryExecution", _PLAIN: "stopQueryExecution getQueryExecution getQueryResults"},
    "batch": {_JOB: "submitJob"},
    "bedrock": {_PLAIN: "invokeModel", _JOB: "createModelCustomizationJob"},
    "codebuild": {
        _JOB: "startBuild startBuildBatch retryBuildBatch",
        _PLAIN: "stopBuild batchDeleteBuilds batchGetReports stopBuildBatch deleteBuildBatch",
    },
    "databrew": {_JOB: "startJobRun"},
    "dynamodb": {_PLAIN: "getItem putItem deleteItem updateItem"},
    "ecs": {("", _SYNC, _TOKEN): "runTask"},
    "eks": {
        _JOB: "createCluster deleteCluster createFargateProfile deleteFargateProfile createNodegroup deleteNodegroup"
        " runJob",
        _PLAIN: "call",
    },
    "elasticmapreduce": {
        _JOB: "createCluster terminateCluster addStep",
        _PLAIN: "cancelStep setClusterTerminationProtection modifyInstanceFleetByName modifyInstanceGroupByName",
    },
    "emr-containers": {_JOB: "deleteVirtualCluster startJobRun", _PLAIN: "createVirtualCluster"},
    "emr-serverless": {
        _JOB: "createApplication startApplication stopApplication deleteApplication startJobRun cancelJobRun",
    },
    "events": {_CALLBACK: "putEvents"},
    "glue": {_JOB: "startJobRun"},
    "http": {_PLAIN: "invoke"},
    "lambda": {_CALLBACK: "invoke"},
    "mediaconvert": {_JOB: "createJob"},
    "sagemaker": {
        _JOB: "createTrainingJob createTransformJob createHyperParameterTuningJob createLabelingJob"
        " createProcessingJob",
        _PLAIN: "createEndpoint createEndpointConfig createModel updateEndpoint",
    },
    "sns": {_CALLBACK: "publish"},
    "sqs": {_CALLBACK: "sendMessage"},
    "states": {("", _SYNC, _SYNC2, _TOKEN): "startExecution"},
}
_PATTERNS = {
    f"{service}:{action}": patterns
    for service, offered in _INTEGRATIONS.items()
    for patterns, actions in offered.items()
    for action in actions.split()
}
_ARN = re.compile(r"arn:aws[\w-]*:[\w-]+:[^:]*:[^:]*:\S+")
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[^:]*:[^:]*:function:(?P<name>\S+)")
_ACTIVITY = re.compile(r"arn:[\w-]+:states:[^:]*:[^:]*:activity:(?P<name>\S+)")
_INTEGRATION = re.compile(
    r"arn:[\w-]+:states:[^:]*:[^:]*:(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<action>[^.:]+)(?:\.(?P<pattern>\S+))?"
)
_SDK_NAMES = re.compile(r"[a-z0-9]+:[a-z][A-Za-z0-9]*")


class ResourceKind(StrEnum):
    """The kind of service that performs a task."""

    FUNCTION = "function"  # a Lambda function by its ARN
    ACTIVITY = "activity"  # workers that poll for tasks
    SERVICE = "service"  # an optimised integration, arn:…:states:::service:action
    SDK = "sdk"  # arn:…:states:::aws-sdk:service:action
    LOCAL = "local"  # anything else: a function of this process by its name


@dataclass(frozen=True, slots=True)
class Resource:
    """A parsed Resource.

    ``pattern`` is "", "sync", "sync:2" or "waitForTaskToken"; ``name`` is that of a function or activity.
    """

    kind: ResourceKind
    service: str = ""
    action: str = ""
    pattern: str = ""
    name: str = ""

    @property
    def submits(self) -> bool:
        """True if the call only submits the task, which ends later."""
        return bool(self.pattern)

    @property
    def is_integration(self) -> bool:
        """True if a service's API performs the task."""
        return self.kind in (ResourceKind.SERVICE, ResourceKind.SDK)

    @property
    def is_available(self) -> bool:
        """True if a Task on AWS can call it."""
        if self.kind is ResourceKind.SERVICE:
            return self.pattern in _PATTERNS.get(f"{self.service}:{self.action}", ())
        if self.kind is ResourceKind.SDK:
            return self.pattern in _CALLBACK and _SDK_NAMES.fullmatch(f"{self.service}:{self.action}") is not None
        return self.kind is not ResourceKind.LOCAL


@lru_cache(maxsize=1024)
def parse_resource(text: str) -> Resource:
    """Parse a Resource; any text but an ARN of AWS names a local function."""
    if match := _FUNCTION.fullmatch(text):
        return Resource(ResourceKind.FUNCTION, name=match["name"])
    if match := _ACTIVITY.fullmatch(text):
        return Resource(ResourceKind.ACTIVITY, name=match["name"])
    if match := _INTEGRATION.fullmatch(text):
        kind = ResourceKind.SDK if match["sdk"] else ResourceKind.SERVICE
        return Resource(kind, match["service"], match["action"], match["pattern"] or "")
    return Resource(ResourceKind.LOCAL, name=text)


def is_arn(text: str) -> bool:
    """Return whether a text has the form of an ARN."""
    return _ARN.fullmatch(text) is not None
