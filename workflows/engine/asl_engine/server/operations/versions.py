"""Publish, list and delete versions of state machines."""

from asl_engine.jsontext import Json
from asl_engine.server.api_errors import api_error
from asl_engine.server.arns import parse_arn
from asl_engine.server.catalog import VERSION, Catalog, changing
from asl_engine.server.operation import ApiCall, seconds


def publish_state_machine_version(call: ApiCall) -> Json:
    """PublishStateMachineVersion. A revision has one version, however often it is published."""
    asked = call.arguments
    with changing:
        catalog = Catalog(call.store)
        machine = catalog.changeable(asked["stateMachineArn"])
        current = catalog.revision(machine.revision).revision_id or "INITIAL"
        if asked.get("revisionId") not in (None, current):
            raise api_error(
                "ConflictException",
                f"Failed to publish the State Machine version for revision {asked['revisionId']}. "
                f"The current State Machine revision is {current}.",
            )
        machine, version = catalog.publish(machine, asked.get("description"), call.now_ms())
        catalog.put_machine(machine, call.account)
    return {"stateMachineVersionArn": version.arn, "creationDate": seconds(version.created_ms)}


def list_state_machine_versions(call: ApiCall) -> Json:
    """ListStateMachineVersions, the newest first."""
    text = call.arguments["stateMachineArn"]
    parse_arn(text, "stateMachine")
    Catalog(call.store).machine(text)
    page, more = call.documents(VERSION, text, descending=True)
    versions = [{"stateMachineVersionArn": one.key, "creationDate": seconds(one.body["created_ms"])} for one in page]
    return {"stateMachineVersions": versions, **more}


def delete_state_machine_version(call: ApiCall) -> Json:
    """DeleteStateMachineVersion. Its executions go on. Raises ConflictException while an alias routes to it."""
    text = call.arguments["stateMachineVersionArn"]
    arn = parse_arn(text, "stateMachine")
    if not arn.is_version:
        raise api_error(
            "ValidationException", f"State machine version ARN must be qualified by a version. Received: {text}"
        )
    with changing:
        catalog = Catalog(call.store)
        users = [
            alias.name
            for alias in catalog.aliases(arn.state_machine)
            if any(route["stateMachineVersionArn"] == text for route in alias.routes)
        ]
        if users:
            raise api_error(
                "ConflictException",
                "Version to be deleted must not be referenced by an alias. "
                f"Current list of aliases referencing this version: [{', '.join(users)}]",
            )
        call.store.delete_document(VERSION, text)
    return {}
