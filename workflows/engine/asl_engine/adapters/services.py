"""Performs calls of AWS services: the optimised integrations and ``aws-sdk:`` generically, through botocore.

Where a service is asked is boto3's own configuration: AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_SQS and so on.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asl_engine.adapters import service_errors, service_json
from asl_engine.adapters.performer import DEFAULT_REGION, TaskCall, TaskError, boto3_session
from asl_engine.adapters.sdk_names import boto3_name, capitalised, service_word
from asl_engine.definition.resources import Resource, ResourceKind, parse_resource
from asl_engine.errors import RUNTIME
from asl_engine.jsontext import Json, dumps

if TYPE_CHECKING:
    from botocore.model import OperationModel

# Optimised integrations that one call of the service's API performs, by their boto3 names.
OPTIMISED_ACTIONS: Mapping[str, frozenset[str]] = {
    "dynamodb": frozenset({"getItem", "putItem", "updateItem", "deleteItem"}),
    "events": frozenset({"putEvents"}),
    "sns": frozenset({"publish"}),
    "sqs": frozenset({"sendMessage"}),
}


class ServiceClients:
    """boto3 clients, made when first asked for, one of each service. ``endpoints`` by boto3's names go first."""

    def __init__(self, endpoints: Mapping[str, str] | None = None) -> None:
        self._endpoints = endpoints or {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._session: Any = None

    def client(self, service: str) -> Any:
        """Return the client of a service by boto3's name."""
        with self._lock:  # making clients is not safe in threads; using them is
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def find(self, sdk_service: str) -> Any | None:
        """Return the client of the service of an aws-sdk Resource, or None when there is no such service."""
        with self._lock:
            name = boto3_name(sdk_service, self._boto3_session().get_available_services())
        return None if name is None else self.client(name)

    def _make(self, service: str) -> Any:
        session = self._boto3_session()
        from botocore.config import Config

        return session.client(
            service,
            region_name=session.region_name or DEFAULT_REGION,
            endpoint_url=self._endpoints.get(service),
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=50),
        )

    def _boto3_session(self) -> Any:
        if self._session is None:
            self._session = boto3_session()
        return self._session


@contextmanager
def failing_as(error_name: str) -> Iterator[None]:
    """Make an error of a service the TaskError of that name."""
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
        """Call the service and return its answer in the integration's spelling."""
        resource = parse_resource(call.resource)
        if resource.kind is ResourceKind.SDK:
            return _ServiceCall(resource, self._sdk_client(resource), service_json.SDK).answer(call.parameters)
        if resource.action not in OPTIMISED_ACTIONS.get(resource.service, ()):
            raise TaskError(RUNTIME, f"The resource '{call.resource}' is not supported by this engine.", "schedule")
        client = self._clients.client(resource.service)
        answer = _ServiceCall(resource, client, service_json.OPTIMISED).answer(_completed(call, resource))
        return _without_failed_entries(answer) if resource.service == "events" else answer

    def _sdk_client(self, resource: Resource) -> Any:
        client = self._clients.find(resource.service)
        if client is None:
            raise TaskError(RUNTIME, f"There is no service named '{resource.service}'.", "schedule")
        return client


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
        name = capitalised(self._resource.action)
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
            request.setdefault("ContentType", "text/plain; charset=UTF-8")  # as Java sends a text
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
            raise self._failure(service_errors.read_refusal(dict(error.response), self._model)) from error
        except ParamValidationError as error:
            raise self._refused(str(error)) from error
        except BotoCoreError as error:
            raise TaskError(*service_errors.unreachable_fault(self._prefix, str(error)), self._phase) from error

    @property
    def _prefix(self) -> str:
        if self._resource.kind is ResourceKind.SDK:
            return service_word(self._model.service_id)
        return service_errors.OPTIMISED[self._resource.service].error_prefix

    @property
    def _phase(self) -> str:
        return "submit" if self._resource.submits else "run"

    def _refused(self, message: str) -> TaskError:
        """Return the error of a request that the service would not take."""
        return self._failure(service_errors.Refusal("ValidationException", message, 400, str(uuid4())))

    def _failure(self, refusal: service_errors.Refusal) -> TaskError:
        if self._resource.kind is ResourceKind.SDK:
            return TaskError(*service_errors.sdk_fault(self._model.service_id, refusal), self._phase)
        return TaskError(*service_errors.optimised_fault(self._resource.service, refusal), self._phase)


def _missing_text(missing: list[str]) -> str:
    problems = "; ".join(
        f"Value null at '{name[:1].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
        for name in missing
    )
    plural = "s" if len(missing) > 1 else ""
    return f"{len(missing)} validation error{plural} detected: {problems}"


def _completed(call: TaskCall, resource: Resource) -> Json:
    """Return the parameters with what Step Functions adds: events name the execution that they come from."""
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
