"""The errors of the Step Functions API, as AWS spells them.

``ApiError(code, message)`` is what a client sees; the functions below are its spellings, each with
the text that AWS gives. https://docs.aws.amazon.com/step-functions/latest/apireference/CommonErrors.html
"""

from asl_engine.errors import EngineError


class ApiError(EngineError):
    """An error that the API answers: its code, its message, and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)
        self.code, self.message, self.status = code, message, status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def validation(message: str) -> ApiError:
    """Return a ValidationException."""
    return ApiError("ValidationException", message)


def invalid_arn(detail: str) -> ApiError:
    """Return an InvalidArn."""
    return ApiError("InvalidArn", f"Invalid Arn: '{detail}'")


def invalid_name(name: str) -> ApiError:
    """Return an InvalidName."""
    return ApiError("InvalidName", f"Invalid Name: '{name}'")


def invalid_token() -> ApiError:
    """Return an InvalidToken."""
    return ApiError("InvalidToken", "Invalid Token: 'Invalid token'")


def state_machine_missing(arn: str) -> ApiError:
    """Return a StateMachineDoesNotExist."""
    return ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def state_machine_exists(arn: str) -> ApiError:
    """Return a StateMachineAlreadyExists."""
    return ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")


def state_machine_deleting(arn: str) -> ApiError:
    """Return a StateMachineDeleting."""
    return ApiError("StateMachineDeleting", f"State Machine is Deleting: '{arn}'")


def type_not_supported() -> ApiError:
    """Return a StateMachineTypeNotSupported."""
    return ApiError("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")


def execution_missing(arn: str) -> ApiError:
    """Return an ExecutionDoesNotExist."""
    return ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")


def execution_exists(arn: str) -> ApiError:
    """Return an ExecutionAlreadyExists."""
    return ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")


def activity_missing(arn: str) -> ApiError:
    """Return an ActivityDoesNotExist."""
    return ApiError("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")


def resource_missing(arn: str | None = None) -> ApiError:
    """Return a ResourceNotFound; without an ARN in the words of the alias operations."""
    return ApiError(
        "ResourceNotFound",
        f"Resource not found: '{arn}'" if arn else "Request references a resource that does not exist.",
    )


def conflict(message: str) -> ApiError:
    """Return a ConflictException."""
    return ApiError("ConflictException", message)


def invalid_logging(detail: str) -> ApiError:
    """Return an InvalidLoggingConfiguration."""
    return ApiError("InvalidLoggingConfiguration", f"Invalid Logging Configuration: {detail}")


def invalid_execution_input(detail: str) -> ApiError:
    """Return an InvalidExecutionInput."""
    return ApiError("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{detail}'")
