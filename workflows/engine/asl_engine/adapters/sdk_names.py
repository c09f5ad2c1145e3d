"""Names and error texts of AWS's SDKs for Java, which Step Functions shows.

Optimised integrations use version 1 of that SDK: ``Lambda.ResourceNotFoundException`` and ``… (Service: AWSLambda;
Status Code: 404; Error Code: ResourceNotFoundException; Request ID: …; Proxy: null)``. ``aws-sdk:`` ones use version
2: ``Sfn.InvalidTokenException`` and ``… (Service: Sfn, Status Code: 400, Request ID: …) (SDK Attempt Count: 1)``.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from botocore.model import ServiceModel

# The services of aws-sdk Resources that are not boto3's name without its hyphens.
_BOTO3_NAMES = {
    "applicationdiscovery": "discovery",
    "applicationdiscoveryservice": "discovery",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "configservice": "config",
    "costandusagereport": "cur",
    "costandusagereportservice": "cur",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "databasemigrationservice": "dms",
    "directory": "ds",
    "directoryservice": "ds",
    "directoryservicedata": "ds-data",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearch": "es",
    "elasticsearchservice": "es",
    "eventbridge": "events",
    "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data",
    "lexmodelbuilding": "lex-models",
    "lexmodelbuildingservice": "lex-models",
    "lexmodelsv2": "lexv2-models",
    "lexruntimeservice": "lex-runtime",
    "lexruntimev2": "lexv2-runtime",
    "marketplaceentitlementservice": "marketplace-entitlement",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "pinpointsmsvoice": "sms-voice",
    "serverlessapplicationrepository": "serverlessrepo",
    "sfn": "stepfunctions",
    "simpledb": "sdb",
}


def boto3_name(sdk_service: str, available: list[str]) -> str | None:
    """Return boto3's name of an aws-sdk Resource's service, None for an unknown one."""
    named = _BOTO3_NAMES.get(sdk_service)
    if named:
        return named
    return next((name for name in available if name.replace("-", "") == sdk_service.replace("-", "")), None)


def pascal_case(name: str) -> str:
    """Return a name as aws-sdk integrations write it; a leading acronym is one word.

    ``stateMachineArn`` is StateMachineArn, ``SSEKMSKeyId`` SsekmsKeyId, ``ETag`` ETag.
    """
    return re.sub(r"^(.)((?:[A-Z](?![a-z]))*)", lambda match: match[1].upper() + match[2].lower(), name)


def capitalised(name: str) -> str:
    """Return a name with a capital first letter, as optimised integrations write it."""
    return name[:1].upper() + name[1:]


def service_word(service_id: str) -> str:
    """Return a service's name in the errors of aws-sdk integrations: DynamoDb, SecretsManager, Sfn."""
    text = re.sub(r"(?<=[A-Z]{2})v(?=[0-9])", " V", re.sub(r"[^A-Za-z0-9]+", " ", service_id))
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Za-z])", " ", text)
    return "".join(word.capitalize() for word in text.split())


def exception_name(name: str) -> str:
    """Return the name of Java's class for an error, which ends in Exception."""
    return name if name.endswith("Exception") else f"{name.removesuffix('Fault')}Exception"


# --- errors ---


@dataclass(frozen=True, slots=True)
class JavaService:
    """A service's names in optimised integrations: in errors, in causes, and of unnamed errors."""

    error_prefix: str
    cause_name: str
    base_exception: str


OPTIMISED = {
    "lambda": JavaService("Lambda", "AWSLambda", "AWSLambdaException"),
    "dynamodb": JavaService("DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
    "sqs": JavaService("SQS", "AmazonSQS", "AmazonSQSException"),
    "sns": JavaService("SNS", "AmazonSNS", "AmazonSNSException"),
    "events": JavaService("EventBridge", "AmazonEventBridge", "AmazonEventBridgeException"),
    "states": JavaService("StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A service's error answer; ``shape`` is the error's name in the service's model, if any."""

    code: str
    message: str
    status: int
    request_id: str
    extended_request_id: str = ""
    shape: str | None = None


def optimised_fault(service: str, refusal: Refusal) -> tuple[str, str]:
    """Return the error and cause of an optimised integration."""
    java = OPTIMISED[service]
    error = exception_name(refusal.shape) if refusal.shape else java.base_exception
    cause = (
        f"{refusal.message} (Service: {java.cause_name}; Status Code: {refusal.status}; "
        f"Error Code: {refusal.code}; Request ID: {refusal.request_id}; Proxy: null)"
    )
    return f"{java.error_prefix}.{error}", cause


def sdk_fault(service_id: str, refusal: Refusal) -> tuple[str, str]:
    """Return the error and cause of an ``aws-sdk:`` integration."""
    word = service_word(service_id)
    extended = f", Extended Request ID: {refusal.extended_request_id}" if refusal.extended_request_id else ""
    cause = (
        f"{refusal.message} (Service: {word}, Status Code: {refusal.status}, "
        f"Request ID: {refusal.request_id}{extended}) (SDK Attempt Count: 1)"
    )
    return f"{word}.{exception_name(refusal.shape or word)}", cause


def unreachable_fault(prefix: str, reason: str) -> tuple[str, str]:
    """Return the error and cause of a call without an answer."""
    return f"{prefix}.SdkClientException", f"Unable to execute HTTP request: {reason}"


def read_refusal(response: dict[str, Any], model: "ServiceModel") -> Refusal:
    """Return the refusal in a botocore ClientError's response."""
    metadata = response.get("ResponseMetadata", {})
    error = response.get("Error", {})
    code = str(error.get("Code", "Unknown"))
    return Refusal(
        code=code,
        message=str(error.get("Message", "")),
        status=int(metadata.get("HTTPStatusCode", 400)),
        request_id=str(metadata.get("RequestId") or uuid4()),
        extended_request_id=str(metadata.get("HostId") or (uuid4() if model.service_name == "s3" else "")),
        # SQS also sends a code of its older protocol, which its model does not have.
        shape=_shape_of(code, model) or _shape_of(str(error.get("QueryErrorCode")), model),
    )


def _shape_of(code: str, model: "ServiceModel") -> str | None:
    return next(
        (
            shape.name
            for shape in model.error_shapes
            if code in (shape.name, shape.metadata.get("error", {}).get("code"))
        ),
        None,
    )
