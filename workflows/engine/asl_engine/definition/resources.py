"""What a Task may call: resource ARNs, optimized integrations and their patterns."""

import re
from dataclasses import dataclass

# Request Response is offered by all but those marked "sync only"; a name alone stands for it.
# https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
_TOKEN, _SYNC, _SYNC2 = ".waitForTaskToken", ".sync", ".sync:2"
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
_ARN = re.compile(r"arn:(?P<partition>aws[\w-]*):(?P<service>[\w-]+):[^:]*:[^:]*:(?P<rest>\S+)")
_SDK = re.compile(r"aws-sdk:[a-z0-9]+:[a-z][A-Za-z0-9]*(\.waitForTaskToken)?")
_PATTERN = re.compile(r"(\.sync:2|\.sync|\.waitForTaskToken)?$")
_READER = re.compile(r"arn:aws[\w-]*:states:::s3:(getObject|listObjectsV2)")
_WRITER = re.compile(r"arn:aws[\w-]*:states:::s3:putObject")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that Step Functions knows: ``pattern`` is "", .sync, .sync:2 or .waitForTaskToken."""

    arn: str
    is_activity: bool = False
    pattern: str = ""


def is_arn(text: str) -> bool:
    """Return whether a text has the form of an ARN."""
    return _ARN.fullmatch(text) is not None


def resource_of(arn: str) -> Resource | None:
    """Return what an ARN names: a function, an activity or an integration. None for what no Task can call."""
    parts = _ARN.fullmatch(arn)
    if parts is None:
        return None
    service, rest = parts["service"], parts["rest"]
    if service == "lambda" and rest.startswith("function:"):
        return Resource(arn)
    if service != "states":
        return None
    if rest.startswith("activity:"):
        return Resource(arn, is_activity=True)
    found = _PATTERN.search(rest)
    pattern = found[0] if found else ""
    offered = pattern in _PATTERNS.get(rest[: len(rest) - len(pattern)], ())
    return Resource(arn, pattern=pattern) if offered or _SDK.fullmatch(rest) else None


def is_item_reader(arn: str) -> bool:
    """Return whether an ARN is one that an ItemReader may read with."""
    return _READER.fullmatch(arn) is not None


def is_result_writer(arn: str) -> bool:
    """Return whether an ARN is one that a ResultWriter may write with."""
    return _WRITER.fullmatch(arn) is not None
