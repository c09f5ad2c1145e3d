"""The fields of each operation's request, with their limits.

The values of an enumeration are in the order in which AWS prints them.
https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

from collections.abc import Mapping

from asl_engine.jsontext import MAX_DATA_BYTES
from asl_engine.server.validation import Field, Flag, Items, Number, Structure, Text

_ARN = Text(required=True, min=1, max=256)
_LONG_ARN = Text(required=True, min=1, max=2000)
_NAME = Text(required=True, min=1, max=80)
_OPTIONAL_NAME = Text(min=1, max=80)
_ROLE = Text(min=1, max=256)
_DEFINITION = Text(min=1, max=1_048_576)
_DATA = Text(max=MAX_DATA_BYTES)
_ERROR = Text(max=256)
_CAUSE = Text(max=32_768)
_TRACE_HEADER = Text(max=256, pattern=r"[\x00-\x7f]*")
_TOKEN = Text(required=True, min=1, max=2048)
_MAX_RESULTS = Number(min=0, max=1000)
_NEXT_TOKEN = Text(min=1, max=1024)
_INCLUDED_DATA = Text(values=("ALL_DATA", "METADATA_ONLY"))
_TYPE = Text(values=("STANDARD", "EXPRESS"))
_DESCRIPTION = Text(max=256)
_TAG_KEY = Text(required=True, min=1, max=128)
_TAG = Structure("Tag", {"key": _TAG_KEY, "value": Text(max=256)})
_TAGS = Items(_TAG)
_PAGE: Mapping[str, Field] = {"maxResults": _MAX_RESULTS, "nextToken": _NEXT_TOKEN}
_ENCRYPTION = Structure(
    "EncryptionConfiguration",
    {
        "kmsKeyId": Text(min=1, max=2048),
        "kmsDataKeyReusePeriodSeconds": Number(min=60, max=900),
        "type": Text(required=True, values=("AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY")),
    },
)
_LOG_GROUP = Structure("CloudWatchLogsLogGroup", {"logGroupArn": Text(min=1, max=256)})
_LOGGING = Structure(
    "LoggingConfiguration",
    {
        "level": Text(values=("ALL", "ERROR", "FATAL", "OFF")),
        "includeExecutionData": Flag(),
        "destinations": Items(Structure("LogDestination", {"cloudWatchLogsLogGroup": _LOG_GROUP})),
    },
)
_TRACING = Structure("TracingConfiguration", {"enabled": Flag()})
_ROUTE = Structure(
    "RoutingConfigurationListItem",
    {"stateMachineVersionArn": _ARN, "weight": Number(required=True, min=0, max=100)},
)
_ALIAS_NAME = Text(required=True, min=1, max=80, pattern=r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$")
_CONFIGURATION: Mapping[str, Field] = {
    "loggingConfiguration": _LOGGING,
    "tracingConfiguration": _TRACING,
    "publish": Flag(),
    "versionDescription": _DESCRIPTION,
    "encryptionConfiguration": _ENCRYPTION,
}
_START: Mapping[str, Field] = {
    "stateMachineArn": _ARN,
    "name": _OPTIONAL_NAME,
    "input": _DATA,
    "traceHeader": _TRACE_HEADER,
}
_MOCK = Structure(
    "MockInput",
    {
        "result": _DATA,
        "errorOutput": Structure("MockErrorOutput", {"error": _ERROR, "cause": _CAUSE}),
        "fieldValidationMode": Text(values=("STRICT", "PRESENT", "NONE")),
    },
)
_TEST_STATE_CONFIGURATION = Structure(
    "TestStateConfiguration",
    {
        "retrierRetryCount": Number(min=0),
        "errorCausedByState": _OPTIONAL_NAME,
        "mapIterationFailureCount": Number(min=0),
        "mapItemReaderData": _DATA,
    },
)

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "CreateStateMachine": {
        "name": _NAME,
        "definition": Text(required=True, min=1, max=1_048_576),
        "roleArn": _ARN,
        "type": _TYPE,
        "tags": _TAGS,
        **_CONFIGURATION,
    },
    "UpdateStateMachine": {"stateMachineArn": _ARN, "definition": _DEFINITION, "roleArn": _ROLE, **_CONFIGURATION},
    "DescribeStateMachine": {"stateMachineArn": _ARN, "includedData": _INCLUDED_DATA},
    "DescribeStateMachineForExecution": {"executionArn": _ARN, "includedData": _INCLUDED_DATA},
    "DeleteStateMachine": {"stateMachineArn": _ARN},
    "ListStateMachines": _PAGE,
    "ValidateStateMachineDefinition": {
        "definition": Text(required=True, min=1, max=1_048_576),
        "type": _TYPE,
        "severity": Text(values=("ERROR", "WARNING")),
        "maxResults": Number(min=0, max=100),
    },
    "PublishStateMachineVersion": {"stateMachineArn": _ARN, "revisionId": Text(), "description": _DESCRIPTION},
    "ListStateMachineVersions": {"stateMachineArn": _ARN, **_PAGE},
    "DeleteStateMachineVersion": {"stateMachineVersionArn": _LONG_ARN},
    "CreateStateMachineAlias": {
        "description": _DESCRIPTION,
        "name": _ALIAS_NAME,
        "routingConfiguration": Items(_ROUTE, required=True, min=1, max=2),
    },
    "UpdateStateMachineAlias": {
        "stateMachineAliasArn": _ARN,
        "description": _DESCRIPTION,
        "routingConfiguration": Items(_ROUTE, min=1, max=2),
    },
    "DescribeStateMachineAlias": {"stateMachineAliasArn": _ARN},
    "DeleteStateMachineAlias": {"stateMachineAliasArn": _ARN},
    "ListStateMachineAliases": {"stateMachineArn": _ARN, **_PAGE},
    "StartExecution": _START,
    "StartSyncExecution": {**_START, "includedData": _INCLUDED_DATA},
    "StopExecution": {"executionArn": _ARN, "error": _ERROR, "cause": _CAUSE},
    "DescribeExecution": {"executionArn": _ARN, "includedData": _INCLUDED_DATA},
    "ListExecutions": {
        "stateMachineArn": Text(min=1, max=256),
        "statusFilter": Text(values=("SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING")),
        "maxResults": _MAX_RESULTS,
        "nextToken": Text(min=1, max=3096),
        "mapRunArn": Text(min=1, max=2000),
        "redriveFilter": Text(values=("REDRIVEN", "NOT_REDRIVEN")),
    },
    "GetExecutionHistory": {
        "executionArn": _ARN,
        "reverseOrder": Flag(),
        "includeExecutionData": Flag(),
        **_PAGE,
    },
    "RedriveExecution": {"executionArn": _ARN, "clientToken": Text(min=1, max=64, pattern="[!-~]+")},
    "DescribeMapRun": {"mapRunArn": _LONG_ARN},
    "ListMapRuns": {"executionArn": _ARN, **_PAGE},
    "UpdateMapRun": {
        "mapRunArn": _LONG_ARN,
        "maxConcurrency": Number(min=0),
        "toleratedFailurePercentage": Number(min=0, max=100, real=True),
        "toleratedFailureCount": Number(min=0),
    },
    "SendTaskSuccess": {"taskToken": _TOKEN, "output": Text(required=True, max=MAX_DATA_BYTES)},
    "SendTaskFailure": {"taskToken": _TOKEN, "error": _ERROR, "cause": _CAUSE},
    "SendTaskHeartbeat": {"taskToken": _TOKEN},
    "CreateActivity": {"name": _NAME, "tags": _TAGS, "encryptionConfiguration": _ENCRYPTION},
    "DescribeActivity": {"activityArn": _ARN},
    "DeleteActivity": {"activityArn": _ARN},
    "ListActivities": _PAGE,
    "GetActivityTask": {"activityArn": _ARN, "workerName": _OPTIONAL_NAME},
    "TagResource": {"resourceArn": _ARN, "tags": Items(_TAG, required=True)},
    "UntagResource": {"resourceArn": _ARN, "tagKeys": Items(_TAG_KEY, required=True)},
    "ListTagsForResource": {"resourceArn": _ARN},
    "TestState": {
        "definition": Text(required=True, min=1, max=1_048_576),
        "roleArn": _ROLE,
        "input": _DATA,
        "inspectionLevel": Text(values=("INFO", "DEBUG", "TRACE")),
        "revealSecrets": Flag(),
        "variables": _DATA,
        "stateName": _OPTIONAL_NAME,
        "mock": _MOCK,
        "context": _DATA,
        "stateConfiguration": _TEST_STATE_CONFIGURATION,
    },
}
