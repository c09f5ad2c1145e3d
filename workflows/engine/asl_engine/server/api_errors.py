"""The errors of the Step Functions API by their codes, in AWS's words.

https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
"""

from asl_engine.definition.checks import check
from asl_engine.definition.diagnostics import Diagnostic, errors_of, refusal_text
from asl_engine.errors import ApiError

_TEXTS = {
    "ActivityAlreadyExists": "Activity Already Exists: '{}'",
    "ActivityDoesNotExist": "Activity Does Not Exist: '{}'",
    "InvalidArn": "Invalid Arn: '{}'",
    "InvalidEncryptionConfiguration": "Invalid Encryption Configuration: {}",
    "InvalidExecutionInput": "Invalid State Machine Execution Input: '{}'",
    "InvalidLoggingConfiguration": "Invalid Logging Configuration: {}",
    "InvalidName": "Invalid Name: '{}'",
    "InvalidOutput": "Invalid Output: '{}'",
    "ResourceNotFound": "Resource not found: '{}'",
    "StateMachineAlreadyExists": "State Machine Already Exists: '{}'",
    "StateMachineDeleting": "State Machine is Deleting: '{}'",
    "StateMachineDoesNotExist": "State Machine Does Not Exist: '{}'",
    "StateMachineTypeNotSupported": "This operation is not supported by this type of state machine",
    "TooManyTags": "Too many tags: '{}'",
}


def api_error(code: str, subject: object = "") -> ApiError:
    """Return the error of a code about something; for a code without a text of its own, that is the message."""
    return ApiError(code, _TEXTS.get(code, "{}").replace("{}", str(subject)))


def validation_error(message: str) -> ApiError:
    """Return a ValidationException."""
    return ApiError("ValidationException", message)


def accept_definition(definition: str, machine_type: str) -> None:
    """Raise InvalidDefinition, with every problem of a definition, unless there is none."""
    refuse_definition(check(definition, machine_type), definition)


def refuse_definition(diagnostics: list[Diagnostic], definition: str) -> None:
    """Raise InvalidDefinition if there is an error among the problems of a definition."""
    if errors_of(diagnostics):
        raise ApiError("InvalidDefinition", refusal_text(diagnostics, definition))
