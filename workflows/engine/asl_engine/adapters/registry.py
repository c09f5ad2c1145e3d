"""Which adapter performs which task."""

from collections.abc import Mapping

from asl_engine.adapters.functions import Function, FunctionPerformer
from asl_engine.adapters.lambda_ import LambdaPerformer
from asl_engine.adapters.performer import Performer, TaskCall, TaskError
from asl_engine.adapters.services import ServiceClients, ServicePerformer
from asl_engine.adapters.start_execution import StartExecution
from asl_engine.definition.resources import Resource, ResourceKind, parse_resource
from asl_engine.errors import RUNTIME
from asl_engine.jsontext import Json


class Registry:
    """Picks by a task's Resource: functions of this process first, then Lambda, then AWS's services.

    ``start_execution`` serves ``states:startExecution``. Activities are not performed but asked for by
    their workers, which is the runner's queue. ``local_only`` refuses whatever would leave the process.
    """

    def __init__(
        self,
        functions: Mapping[str, Function] | None = None,
        *,
        start_execution: StartExecution | None = None,
        clients: ServiceClients | None = None,
        lambda_endpoint_url: str | None = None,
        local_only: bool = False,
    ) -> None:
        self._functions = FunctionPerformer(functions or {})
        self._start_execution, self._local_only = start_execution, local_only
        self._lambda = LambdaPerformer(lambda_endpoint_url)
        self._services = ServicePerformer(clients or ServiceClients())

    def perform(self, call: TaskCall) -> Json:
        """Perform a task by the adapter for its Resource."""
        if self._functions.finds(call):
            return self._functions.perform(call)
        resource = parse_resource(call.resource)
        if resource.kind is ResourceKind.SERVICE and (resource.service, resource.action) == (
            "states",
            "startExecution",
        ):
            return self._start(call)
        return self._performer_of(resource).perform(call)

    def close(self) -> None:
        """Close connections that are kept open."""
        self._lambda.close()

    def _performer_of(self, resource: Resource) -> Performer:
        if self._local_only or resource.kind in (ResourceKind.LOCAL, ResourceKind.ACTIVITY):
            return self._functions  # which says that it has none of this name
        if resource.kind is ResourceKind.FUNCTION or (resource.service, resource.action) == ("lambda", "invoke"):
            return self._lambda
        return self._services

    def _start(self, call: TaskCall) -> Json:
        if self._start_execution is None:
            raise TaskError(RUNTIME, "No other state machine can be started from here.", "schedule")
        return self._start_execution(call)
