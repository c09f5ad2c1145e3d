"""Choice of the performer of a task."""

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
    """Chooses by a task's Resource: functions of this process first, then Lambda, then AWS's services.

    ``start_execution`` serves ``states:startExecution``. Activities have no performer: their workers poll the
    runner. ``local_only`` refuses every call that leaves the process.
    """

    def __init__(
        self,
        functions: Mapping[str, Function] | None = None,
        *,
        start_execution: StartExecution | None = None,
        clients: ServiceClients | None = None,
        local_only: bool = False,
    ) -> None:
        self._functions = FunctionPerformer(functions or {})
        self._start_execution, self._local_only = start_execution, local_only
        clients = clients or ServiceClients()
        self._lambda, self._services = LambdaPerformer(clients), ServicePerformer(clients)

    def perform(self, call: TaskCall) -> Json:
        """Perform a task by the performer for its Resource."""
        if self._functions.finds(call):
            return self._functions.perform(call)
        resource = parse_resource(call.resource)
        if (resource.kind, resource.service, resource.action) == (ResourceKind.SERVICE, "states", "startExecution"):
            if self._start_execution is None:
                raise TaskError(RUNTIME, "No other state machine can be started from here.", "schedule")
            return self._start_execution(call)
        return self._performer_of(resource).perform(call)

    def close(self) -> None:
        """Close the open connections."""
        self._lambda.close()

    def _performer_of(self, resource: Resource) -> Performer:
        if self._local_only or resource.kind in (ResourceKind.LOCAL, ResourceKind.ACTIVITY):
            return self._functions  # which raises the error
        if resource.kind is ResourceKind.FUNCTION or (resource.service, resource.action) == ("lambda", "invoke"):
            return self._lambda
        return self._services
