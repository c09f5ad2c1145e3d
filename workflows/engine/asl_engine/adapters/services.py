"""Performer of calls of AWS services: optimised integrations, and ``aws-sdk:`` through botocore.

Endpoints are boto3's own settings: AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_SQS and so on.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asl_engine.adapters import sdk_names, service_json
from asl_engine.adapters.performer import DEFAULT_REGION, TaskCall, TaskError
from asl_engine.definition.resources import Resource, ResourceKind, parse_resource
from asl_engine.errors import RUNTIME
from asl_engine.jsontext import Json, dumps

if TYPE_CHECKING:
    from botocore.model import OperationModel

# Optimised integrations that are one call of the service's API, by their boto3 names.
OPTIMISED_ACTIONS: Mapping[str, frozenset[str]] = {
    "dynamodb": frozenset({"getItem", "putItem", "updateItem", "deleteItem"}),
    "events": frozenset({"putEvents"}),
    "sns": frozenset({"publish"}),
    "sqs": frozenset({"sendMessage"}),
}


class ServiceClients:
    """The boto3 clients, one for each service, created at their first use by any thread."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()  # clients are safe in threads, creating them is not

    def client(self, service: str) -> Any:
        """Return the client of a service by boto3's name."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def find(self, sdk_service: str) -> Any | None:
        """Return the client of an aws-sdk Resource's service, None for an unknown service."""
        with self._lock:
            name = sdk_names.boto3_name(sdk_service, self._session.get_available_services())
        return None if name is None else self.client(name)

    def credentials(self) -> Any:
        """Return boto3's credentials, None if there are none."""
        with self._lock:
            return self._session.get_credentials()

    def _new_client(self, service: str) -> Any:
        session = self._session
        from botocore.config import Config

        config = Config(retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=50)
        return session.client(service, region_name=session.region_name or DEFAULT_REGION, config=config)

    @cached_property
    def _session(self) -> Any:
        try:
            import boto3
        except ImportError:
            cause = "boto3 is not installed, and this task needs it. Run: pip install 'asl-engine[aws]'"
            raise TaskError(RUNTIME, cause, "schedule") from None
        return boto3.Session()


@contextmanager
def failing_as(error_name: str) -> Iterator[None]:
    """Raise errors of a service as a TaskError of this name."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise TaskError(error_name, str(error.response.get("Error", {}).get("Message") or error)) from error
    except BotoCoreError as error:
        raise TaskError(error_name, str(error)) from error


class ServicePerformer:
    """Performs optimised and aws-sdk tasks."""

    def __init__(self, clients: ServiceClients) -> None:
        self._clients = clients

    def perform(self, call: TaskCall) -> Json:
        """Call the service and return its answer as the integration spells it."""
        resource = parse_resource(call.resource)
        if resource.kind is ResourceKind.SDK:
            client = self._clients.find(resource.service)
            if client is None:
                raise TaskError(RUNTIME, f"There is no service named '{resource.service}'.", "schedule")
            return _ServiceCall(resource, client, service_json.SDK).answer(call.parameters)
        if resource.action not in OPTIMISED_ACTIONS.get(resource.service, ()):
            raise TaskError(RUNTIME, f"The resource '{call.resource}' is not supported by this engine.", "schedule")
        client = self._clients.client(resource.service)
        answer = _ServiceCall(resource, client, service_json.OPTIMISED).answer(_completed(call, resource))
        return _without_failed_entries(answer) if resource.service == "events" else answer


class _ServiceCall:
    """One call of one operation."""

    def __init__(self, resource: Resource, client: Any, spelling: service_json.Spelling) -> None:
        self._resource, self._client, self._spelling = resource, client, spelling
        self._model = client.meta.service_model

    def answer(self, parameters: Json) -> Json:
        operation = self._operation()
        request = self._request(operation, parameters)
        response = self._send(operation, request)
        metadata = response.pop("ResponseMetadata", {})
        answer = service_json.answer_of(operation.output_shape, response, self._spelling)
        if self._resource.kind is ResourceKind.SERVICE:
            headers = list(metadata.get("HTTPHeaders", {}).items())
            answer |= service_json.sdk_metadata(
                headers, metadata.get("HTTPStatusCode", 200), metadata.get("RequestId", "")
            )
        return answer

    def _operation(self) -> "OperationModel":
        name = sdk_names.capitalised(self._resource.action)
        if name not in self._model.operation_names:
            problem = f"The service '{self._resource.service}' has no action '{self._resource.action}'."
            raise TaskError(RUNTIME, problem, "schedule")
        operation: OperationModel = self._model.operation_model(name)
        return operation

    def _request(self, operation: "OperationModel", parameters: Json) -> dict[str, Any]:
        try:
            request = service_json.request_of(operation.input_shape, parameters, self._spelling)
        except service_json.UnknownField as error:
            problem = f"The field '{error.name}' is not supported by Step Functions"
            raise TaskError(RUNTIME, problem, "schedule") from None
        shape = operation.input_shape
        if shape is not None and operation.has_streaming_input and "ContentType" in shape.members:
            request.setdefault("ContentType", "text/plain; charset=UTF-8")  # as Java's SDK sends a text
        missing = service_json.missing_members(operation.input_shape, request)
        if missing:
            raise self._refused(_missing_text(missing))
        return dict(request)

    def _send(self, operation: "OperationModel", request: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        method = next(name for name, api in self._client.meta.method_to_api_mapping.items() if api == operation.name)
        try:
            return dict(getattr(self._client, method)(**request))
        except ClientError as error:
            raise self._failure(sdk_names.read_refusal(dict(error.response), self._model)) from error
        except ParamValidationError as error:
            raise self._refused(str(error)) from error
        except BotoCoreError as error:
            raise TaskError(*sdk_names.unreachable_fault(self._prefix, str(error)), self._phase) from error

    @property
    def _prefix(self) -> str:
        if self._resource.kind is ResourceKind.SDK:
            return sdk_names.service_word(self._model.service_id)
        return sdk_names.OPTIMISED[self._resource.service].error_prefix

    @property
    def _phase(self) -> str:
        return "submit" if self._resource.submits else "run"

    def _refused(self, message: str) -> TaskError:
        """Return the error of a request that the service would refuse."""
        return self._failure(sdk_names.Refusal("ValidationException", message, 400, str(uuid4())))

    def _failure(self, refusal: sdk_names.Refusal) -> TaskError:
        if self._resource.kind is ResourceKind.SDK:
            return TaskError(*sdk_names.sdk_fault(self._model.service_id, refusal), self._phase)
        return TaskError(*sdk_names.optimised_fault(self._resource.service, refusal), self._phase)


def _missing_text(missing: list[str]) -> str:
    problems = "; ".join(
        f"Value null at '{name[:1].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
        for name in missing
    )
    plural = "s" if len(missing) > 1 else ""
    return f"{len(missing)} validation error{plural} detected: {problems}"


def _completed(call: TaskCall, resource: Resource) -> Json:
    """Return the parameters with the execution's ARN added to events."""
    entries = call.parameters.get("Entries") if isinstance(call.parameters, dict) else None
    if resource.service != "events" or not isinstance(entries, list):
        return call.parameters
    ours = [arn for arn in (call.execution_arn, call.state_machine_arn) if arn]
    named = [
        entry | {"Resources": [*(entry.get("Resources") or []), *ours]} if isinstance(entry, dict) else entry
        for entry in entries
    ]
    return call.parameters | {"Entries": named}


def _without_failed_entries(answer: Json) -> Json:
    if answer.get("FailedEntryCount"):
        reported = {key: answer[key] for key in ("Entries", "FailedEntryCount")}
        raise TaskError("EventBridge.FailedEntry", dumps(reported))
    return answer
