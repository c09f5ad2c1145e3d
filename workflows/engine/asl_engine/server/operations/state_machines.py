"""Operations on state machines."""

import uuid
from dataclasses import replace
from functools import lru_cache

from asl_engine.definition.checks import check
from asl_engine.definition.diagnostics import errors_of
from asl_engine.definition.scopes import references
from asl_engine.errors import ApiError, ExecutionDoesNotExist
from asl_engine.jsontext import Json, loads
from asl_engine.runner.runner import Runner
from asl_engine.server.catalog import (
    MACHINE,
    PAGE,
    Catalog,
    Machine,
    Revision,
    Version,
    account_key,
    changing,
)
from asl_engine.server.operations.tags import keep_tags
from asl_engine.server.protocol import ApiCall, seconds
from asl_engine.server.validation import (
    api_error,
    check_definition,
    check_encryption,
    check_logging,
    check_name,
    check_role,
    parse_arn,
    validation_error,
    with_default,
)
from asl_engine.store.records import Document, ExecutionFilter

DELETION = "deletion"  # the kind of document of a machine that is being deleted
_UPDATABLE = ("definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")


def create_state_machine(call: ApiCall) -> Json:
    """CreateStateMachine. Safe to retry."""
    asked = call.arguments
    name = check_name(asked["name"])
    machine_type = asked.get("type", "STANDARD")
    if asked.get("versionDescription") is not None and not asked.get("publish"):
        raise validation_error("Version description can only be set when publish is true")
    revision = _revision_asked(call)
    check_definition(revision.definition, machine_type)
    arn = call.account.arn("stateMachine", name)
    with changing:
        known = Catalog(call.store).find(Machine, arn)
        machine = known or Machine(
            arn=arn,
            name=name,
            type=machine_type,
            created_ms=call.now_ms(),
            revision="",
            published_first=bool(asked.get("publish")),
            first_description=asked.get("versionDescription"),
        )
        return _created(call, machine, revision) if known is None else _created_before(call, machine, revision)


def _revision_asked(call: ApiCall) -> Revision:
    asked = call.arguments
    return Revision(
        definition=asked["definition"],
        role_arn=check_role(asked["roleArn"]),
        logging=check_logging(with_default("loggingConfiguration", asked)),
        tracing=with_default("tracingConfiguration", asked),
        encryption=check_encryption(with_default("encryptionConfiguration", asked)),
        updated_ms=call.now_ms(),
    )


def _created(call: ApiCall, machine: Machine, revision: Revision) -> Json:
    catalog = Catalog(call.store)
    machine = catalog.put_revision(machine, revision)
    answer: dict[str, Json] = {"stateMachineArn": machine.arn, "creationDate": seconds(machine.created_ms)}
    if machine.published_first:
        machine, version = catalog.publish(machine, machine.first_description, machine.created_ms)
        answer["stateMachineVersionArn"] = version.arn
    catalog.put_machine(machine, call.account)
    keep_tags(call.store, machine.arn, call.arguments.get("tags") or [])
    return answer


def _created_before(call: ApiCall, machine: Machine, revision: Revision) -> Json:
    """Answer a repeated creation; role and tags may differ. Raises StateMachineAlreadyExists."""
    catalog = Catalog(call.store)
    if machine.deleting:
        raise api_error("StateMachineDeleting", machine.arn)
    current = catalog.revision(machine.revision)
    same = replace(revision, role_arn=current.role_arn).content() == current.content()
    asked = (call.arguments.get("type", "STANDARD"), bool(call.arguments.get("publish")))
    description = call.arguments.get("versionDescription")
    if not same or asked != (machine.type, machine.published_first) or description != machine.first_description:
        raise api_error("StateMachineAlreadyExists", machine.arn)
    answer: dict[str, Json] = {"stateMachineArn": machine.arn, "creationDate": seconds(machine.created_ms)}
    return answer | {"stateMachineVersionArn": f"{machine.arn}:1"} if machine.published_first else answer


def update_state_machine(call: ApiCall) -> Json:
    """UpdateStateMachine. Running executions keep their revision."""
    asked = call.arguments
    if all(asked.get(name) is None for name in _UPDATABLE):
        raise ApiError(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration "
            "must be specified",
        )
    if asked.get("versionDescription") is not None and not asked.get("publish"):
        raise validation_error("Version description can only be set when publish is true")
    with changing:
        catalog = Catalog(call.store)
        machine = catalog.changeable(asked["stateMachineArn"])
        current = catalog.revision(machine.revision)
        revision = _updated(call, machine, current)
        answer: dict[str, Json] = {"updateDate": seconds(revision.updated_ms)}
        machine = catalog.put_revision(machine, revision) if revision.content() != current.content() else machine
        if asked.get("publish"):
            machine, version = catalog.publish(machine, asked.get("versionDescription"), revision.updated_ms)
            answer["stateMachineVersionArn"] = version.arn
        catalog.put_machine(machine, call.account)
    revision_id = catalog.revision(machine.revision).revision_id
    return answer | {"revisionId": revision_id} if revision_id else answer


def _updated(call: ApiCall, machine: Machine, current: Revision) -> Revision:
    asked = call.arguments
    if asked.get("definition") is not None:
        check_definition(asked["definition"], machine.type)
    return Revision(
        definition=asked.get("definition") or current.definition,
        role_arn=check_role(asked.get("roleArn") or current.role_arn),
        logging=check_logging(with_default("loggingConfiguration", asked, current.logging)),
        tracing=with_default("tracingConfiguration", asked, current.tracing),
        encryption=check_encryption(with_default("encryptionConfiguration", asked, current.encryption)),
        revision_id=str(uuid.uuid4()),
        updated_ms=call.now_ms(),
    )


def describe_state_machine(call: ApiCall) -> Json:
    """DescribeStateMachine, of a machine or a version."""
    text = call.arguments["stateMachineArn"]
    arn = parse_arn(text, "stateMachine")
    catalog = Catalog(call.store)
    machine = catalog.machine(arn.state_machine, text)
    shown: dict[str, Json] = {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "status": "DELETING" if machine.deleting else "ACTIVE",
        "type": machine.type,
        "creationDate": seconds(machine.created_ms),
    }
    key = machine.revision
    if arn.qualifier is not None:
        version = catalog.find(Version, text)
        if version is None:
            raise api_error("StateMachineDoesNotExist", text)
        key = version.revision
        shown |= {"stateMachineArn": version.arn, "creationDate": seconds(version.created_ms)}
        shown |= {"description": version.description} if version.description else {}
    return shown | _shown_revision(call, catalog.revision(key))


def describe_state_machine_for_execution(call: ApiCall) -> Json:
    """DescribeStateMachineForExecution: the execution's revision."""
    arn = call.arguments["executionArn"]
    parse_arn(arn, "execution", "express")
    record = call.store.execution(arn)
    if record is None:
        raise ExecutionDoesNotExist(arn)
    machine_arn = record.state_machine_arn
    owner = machine_arn.split("/", 1)[0]
    catalog = Catalog(call.store)
    version = catalog.find(Version, record.version_arn) if record.version_arn else None
    revision = catalog.revision(version.revision) if version else catalog.revision_at(owner, record.start_ms)
    if revision is None:
        raise ExecutionDoesNotExist(arn)
    shown: dict[str, Json] = {
        "stateMachineArn": machine_arn,
        "name": machine_arn.rsplit(":", 1)[-1],
        "updateDate": seconds(revision.updated_ms),
        **_shown_revision(call, revision),
    }
    if record.map_run_arn:
        shown |= {"mapRunArn": record.map_run_arn, "label": machine_arn.rsplit("/", 1)[-1]}
    return shown


def _shown_revision(call: ApiCall, revision: Revision) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "roleArn": revision.role_arn,
        "loggingConfiguration": revision.logging,
        "tracingConfiguration": revision.tracing,
        "encryptionConfiguration": revision.encryption,
    }
    if call.arguments.get("includedData") != "METADATA_ONLY":
        shown["definition"] = revision.definition
        variables = _references(revision.definition)
        shown |= {"variableReferences": variables} if variables else {}
    return shown | {"revisionId": revision.revision_id} if revision.revision_id else shown


@lru_cache(64)
def _references(definition: str) -> dict[str, list[str]]:
    return references(loads(definition))


def delete_state_machine(call: ApiCall) -> Json:
    """DeleteStateMachine: stop its executions, then delete it. Safe to repeat."""
    text = call.arguments["stateMachineArn"]
    if parse_arn(text, "stateMachine").qualifier is not None:
        raise validation_error(f"State machine ARN must be unqualified. Received: {text}")
    with changing:
        catalog = Catalog(call.store)
        machine = catalog.find(Machine, text)
        if machine is None:
            return {}
        if call.store.count_open(text):
            catalog.put_machine(replace(machine, deleting=True), call.account)
            call.store.put_document(Document(DELETION, text, {}))
    _finish_deletion(call.engine, text)
    return {}


def resume_deletions(engine: Runner) -> None:
    """Finish the deletions that a crash interrupted."""
    for document in engine.store.documents(DELETION):
        _finish_deletion(engine, document.key)


def _finish_deletion(engine: Runner, machine_arn: str) -> None:
    where = ExecutionFilter(state_machine_arn=machine_arn, status="RUNNING")
    while running := engine.store.executions(where, limit=PAGE):
        for record in running:
            engine.stop(record.arn)
    with changing:
        Catalog(engine.store).delete_machine(machine_arn)
        engine.store.delete_document(DELETION, machine_arn)


def list_state_machines(call: ApiCall) -> Json:
    """ListStateMachines, oldest first."""
    page, more = call.documents(MACHINE, account_key(call.account))
    return {"stateMachines": [_listed(Machine(**one.body)) for one in page], **more}


def _listed(machine: Machine) -> dict[str, Json]:
    return {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "type": machine.type,
        "creationDate": seconds(machine.created_ms),
    }


def validate_state_machine_definition(call: ApiCall) -> Json:
    """ValidateStateMachineDefinition: answer all problems of a definition."""
    asked = call.arguments
    found = check(asked["definition"], asked.get("type", "STANDARD"))
    errors = errors_of(found)
    listed = found if asked.get("severity") == "WARNING" else errors
    limit = asked.get("maxResults") or PAGE
    diagnostics = [one.answer() for one in listed[:limit]]
    return {"result": "FAIL" if errors else "OK", "diagnostics": diagnostics, "truncated": len(listed) > limit}
