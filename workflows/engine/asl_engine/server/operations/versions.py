"""Operations on versions and aliases of state machines."""

from dataclasses import replace

from asl_engine.errors import ApiError
from asl_engine.jsontext import Json
from asl_engine.server.catalog import ALIAS, VERSION, Alias, Catalog, Version, changing
from asl_engine.server.protocol import ApiCall, seconds
from asl_engine.server.validation import StatesArn, api_error, parse_arn, validation_error

_MISSING = ("ResourceNotFound", "Request references a resource that does not exist.")


def publish_state_machine_version(call: ApiCall) -> Json:
    """PublishStateMachineVersion. A revision has one version, even if published again."""
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
    """ListStateMachineVersions, newest first."""
    text = call.arguments["stateMachineArn"]
    parse_arn(text, "stateMachine")
    Catalog(call.store).machine(text)
    page, more = call.documents(VERSION, text, descending=True)
    versions = [{"stateMachineVersionArn": one.key, "creationDate": seconds(one.body["created_ms"])} for one in page]
    return {"stateMachineVersions": versions, **more}


def delete_state_machine_version(call: ApiCall) -> Json:
    """DeleteStateMachineVersion. Its executions continue. Raises ConflictException if an alias routes to it."""
    text = call.arguments["stateMachineVersionArn"]
    arn = parse_arn(text, "stateMachine")
    if not arn.is_version:
        raise validation_error(f"State machine version ARN must be qualified by a version. Received: {text}")
    with changing:
        catalog = Catalog(call.store)
        users = [
            alias.name
            for alias in catalog.all_of(Alias, arn.state_machine)
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


def _check_routes(call: ApiCall, routes: list[dict[str, Json]]) -> str:
    """Return the ARN of the state machine of the routes' versions. Raises ValidationException."""
    named = [route["stateMachineVersionArn"] for route in routes]
    arns = [parse_arn(text, "stateMachine") for text in named]
    shown = f"Received: [{', '.join(named)}]"
    if not all(arn.is_version for arn in arns):
        raise validation_error(f"Routing configuration must contain state machine version ARNs. {shown}")
    if len(set(named)) < len(named):
        raise validation_error(f"Routing configuration must contain distinct state machine version ARNs. {shown}")
    if len({arn.state_machine for arn in arns}) > 1:
        raise validation_error(f"Routing configuration must contain versions of one state machine. {shown}")
    weights = [route["weight"] for route in routes]
    if sum(weights) != 100:
        raise validation_error(f"Sum of routing configuration weights must equal 100. Received: {weights}")
    catalog = Catalog(call.store)
    if any(catalog.find(Version, text) is None for text in named):
        raise ApiError(*_MISSING)
    return arns[0].state_machine


def _alias_arn(call: ApiCall) -> StatesArn:
    text = call.arguments["stateMachineAliasArn"]
    arn = parse_arn(text, "stateMachine")
    if arn.qualifier is None or arn.is_version:
        raise api_error("InvalidArn", f"State machine ARN must be qualified by an alias: {text}")
    return arn


def _existing(call: ApiCall) -> Alias:
    alias = Catalog(call.store).find(Alias, _alias_arn(call).text)
    if alias is None:
        raise ApiError(*_MISSING)
    return alias


def create_state_machine_alias(call: ApiCall) -> Json:
    """CreateStateMachineAlias. Safe to retry."""
    asked = call.arguments
    machine_arn = _check_routes(call, asked["routingConfiguration"])
    arn = f"{machine_arn}:{asked['name']}"
    with changing:
        catalog = Catalog(call.store)
        machine = catalog.machine(machine_arn)
        if machine.deleting:
            raise api_error("StateMachineDeleting", machine_arn)
        alias = catalog.find(Alias, arn)
        if alias is None:
            now = call.now_ms()
            alias = Alias(
                arn=arn,
                name=asked["name"],
                machine_arn=machine_arn,
                routes=asked["routingConfiguration"],
                created_ms=now,
                updated_ms=now,
                description=asked.get("description"),
            )
            catalog.put_alias(alias)
        elif (alias.routes, alias.description) != (asked["routingConfiguration"], asked.get("description")):
            raise api_error(
                "ConflictException",
                "Failed to create alias because an alias with the same name and a different routing configuration "
                "already exists.",
            )
    return {"stateMachineAliasArn": alias.arn, "creationDate": seconds(alias.created_ms)}


def update_state_machine_alias(call: ApiCall) -> Json:
    """UpdateStateMachineAlias: change description, routes, or both."""
    asked = call.arguments
    routes, description = asked.get("routingConfiguration"), asked.get("description")
    if routes is None and description is None:
        raise validation_error("Either the description or the routingConfiguration must be specified")
    with changing:
        alias = _existing(call)
        if routes is not None and _check_routes(call, routes) != alias.machine_arn:
            raise validation_error("Routing configuration must contain versions of the alias's own state machine.")
        alias = replace(
            alias,
            routes=alias.routes if routes is None else routes,
            description=alias.description if description is None else description,
            updated_ms=call.now_ms(),
        )
        Catalog(call.store).put_alias(alias)
    return {"updateDate": seconds(alias.updated_ms)}


def describe_state_machine_alias(call: ApiCall) -> Json:
    """DescribeStateMachineAlias."""
    alias = _existing(call)
    shown: dict[str, Json] = {
        "stateMachineAliasArn": alias.arn,
        "name": alias.name,
        "routingConfiguration": alias.routes,
        "creationDate": seconds(alias.created_ms),
        "updateDate": seconds(alias.updated_ms),
    }
    return shown | {"description": alias.description} if alias.description else shown


def delete_state_machine_alias(call: ApiCall) -> Json:
    """DeleteStateMachineAlias. Safe to repeat."""
    call.store.delete_document(ALIAS, _alias_arn(call).text)
    return {}


def list_state_machine_aliases(call: ApiCall) -> Json:
    """ListStateMachineAliases of a machine, or of one version; oldest first."""
    text = call.arguments["stateMachineArn"]
    arn = parse_arn(text, "stateMachine")
    Catalog(call.store).machine(arn.state_machine, text)
    page, more = call.documents(ALIAS, arn.state_machine)
    aliases = [
        {"stateMachineAliasArn": alias.arn, "creationDate": seconds(alias.created_ms)}
        for alias in (Alias(**one.body) for one in page)
        if arn.qualifier is None or any(route["stateMachineVersionArn"] == text for route in alias.routes)
    ]
    return {"stateMachineAliases": aliases, **more}
