"""What a refused call of an AWS service is to a state machine: an error name and a cause, as AWS words them.

Optimised integrations: ``Lambda.ResourceNotFoundException`` and ``… (Service: AWSLambda; Status Code: 404;
Error Code: ResourceNotFoundException; Request ID: …; Proxy: null)``. ``aws-sdk:`` ones:
``Sfn.InvalidTokenException`` and ``… (Service: Sfn, Status Code: 400, Request ID: …) (SDK Attempt Count: 1)``.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asl_engine.adapters.sdk_names import exception_name, service_word

if TYPE_CHECKING:
    from botocore.model import ServiceModel


@dataclass(frozen=True, slots=True)
class JavaService:
    """How optimised integrations name a service: in errors, in causes, and its unnamed errors' class."""

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
    """What a service answered instead of a result. ``shape`` is its model's name of the error, if it has one."""

    code: str
    message: str
    status: int
    request_id: str
    extended_request_id: str = ""
    shape: str | None = None


def optimised_fault(service: str, refusal: Refusal) -> tuple[str, str]:
    """Return error and cause of an optimised integration."""
    java = OPTIMISED[service]
    error = exception_name(refusal.shape) if refusal.shape else java.base_exception
    cause = (
        f"{refusal.message} (Service: {java.cause_name}; Status Code: {refusal.status}; "
        f"Error Code: {refusal.code}; Request ID: {refusal.request_id}; Proxy: null)"
    )
    return f"{java.error_prefix}.{error}", cause


def sdk_fault(service_id: str, refusal: Refusal) -> tuple[str, str]:
    """Return error and cause of an ``aws-sdk:`` integration."""
    word = service_word(service_id)
    extended = f", Extended Request ID: {refusal.extended_request_id}" if refusal.extended_request_id else ""
    cause = (
        f"{refusal.message} (Service: {word}, Status Code: {refusal.status}, "
        f"Request ID: {refusal.request_id}{extended}) (SDK Attempt Count: 1)"
    )
    return f"{word}.{exception_name(refusal.shape or word)}", cause


def unreachable_fault(prefix: str, reason: str) -> tuple[str, str]:
    """Return error and cause of a call that got no answer."""
    return f"{prefix}.SdkClientException", f"Unable to execute HTTP request: {reason}"


def read_refusal(response: dict[str, Any], model: "ServiceModel") -> Refusal:
    """Return the refusal in the response of a botocore ClientError."""
    metadata = response.get("ResponseMetadata", {})
    error = response.get("Error", {})
    code = str(error.get("Code", "Unknown"))
    return Refusal(
        code=code,
        message=str(error.get("Message", "")),
        status=int(metadata.get("HTTPStatusCode", 400)),
        request_id=str(metadata.get("RequestId") or uuid4()),
        extended_request_id=str(metadata.get("HostId") or (uuid4() if model.service_name == "s3" else "")),
        # SQS has a code of its older protocol too; its model knows the newer one.
        shape=shape_of(code, model) or shape_of(str(error.get("QueryErrorCode")), model),
    )


def shape_of(code: str, model: "ServiceModel") -> str | None:
    """Return the name of an error's shape in a service's model, or None for an error that the model does not name."""
    return next(
        (
            shape.name
            for shape in model.error_shapes
            if code in (shape.name, shape.metadata.get("error", {}).get("code"))
        ),
        None,
    )
