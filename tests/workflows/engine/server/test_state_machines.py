"""State machines, versions, aliases and tags, through boto3."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from asl_engine.server.operations.state_machines import DELETION, resume_deletions
from asl_engine.store.records import Document
from tests.workflows.engine.server.served import ACCOUNT, PASS, ROLE, WAIT, Server, machine_of, refusal

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

type Create = Callable[..., dict[str, Any]]

OTHER = machine_of(Other={"Type": "Succeed"})
LOG_GROUP = "arn:aws:logs:eu-west-1:123456789012:log-group:engine:*"


def test_a_machine_is_described_as_it_was_created(sfn: "SFNClient", create: Create) -> None:
    made = create()

    found = sfn.describe_state_machine(stateMachineArn=made["stateMachineArn"])

    assert made["stateMachineArn"] == f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:{found['name']}"
    assert (found["definition"], found["roleArn"], found["type"], found["status"]) == (PASS, ROLE, "STANDARD", "ACTIVE")
    assert found["creationDate"] == made["creationDate"]
    assert found["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert found["tracingConfiguration"] == {"enabled": False}
    assert found["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert "revisionId" not in found
    assert "variableReferences" not in found


def test_a_repeated_creation_gets_the_same_answer(sfn: "SFNClient", create: Create) -> None:
    made = create(name="twice", publish=True, versionDescription="first")

    again = create(name="twice", publish=True, versionDescription="first", roleArn=f"{ROLE}-2")

    assert {**again, "ResponseMetadata": None} == {**made, "ResponseMetadata": None}
    assert sfn.describe_state_machine(stateMachineArn=made["stateMachineArn"])["roleArn"] == ROLE


@pytest.mark.parametrize(
    "other",
    [{"definition": OTHER}, {"type": "EXPRESS"}, {"publish": True}, {"tracingConfiguration": {"enabled": True}}],
)
def test_another_creation_of_the_same_name_is_refused(create: Create, other: dict[str, Any]) -> None:
    arn = create(name="taken")["stateMachineArn"]

    assert refusal(create, name="taken", **other) == (
        "StateMachineAlreadyExists",
        f"State Machine Already Exists: '{arn}'",
    )


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"name": "a b"}, "InvalidName", "Invalid Name: 'a b'"),
        ({"roleArn": "engine"}, "InvalidArn", "Invalid Arn: 'Invalid Role Arn: engine'"),
        ({"definition": "{}"}, "InvalidDefinition", "[States, StartAt]"),
        ({"versionDescription": "one"}, "ValidationException", "publish"),
        (
            {"loggingConfiguration": {"level": "ALL"}},
            "InvalidLoggingConfiguration",
            "Must specify exactly one Log Destination",
        ),
        (
            {
                "loggingConfiguration": {
                    "level": "ALL",
                    "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "no group"}}],
                }
            },
            "InvalidLoggingConfiguration",
            "not a valid",
        ),
        (
            {"encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY"}},
            "InvalidEncryptionConfiguration",
            "kmsKeyId",
        ),
        ({"tags": [{"key": str(n), "value": ""} for n in range(51)]}, "TooManyTags", "Too many tags"),
    ],
)
def test_an_invalid_state_machine_is_refused(create: Create, asked: dict[str, Any], code: str, message: str) -> None:
    found, text = refusal(create, **asked)

    assert found == code
    assert message in text


def test_all_problems_of_a_definition_are_listed(create: Create) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Nap"}}})

    _, text = refusal(create, definition=definition)

    assert "/States/A" in text
    assert "/States/C" in text


def test_logging_and_encryption_are_described(sfn: "SFNClient", create: Create) -> None:
    logging = {
        "level": "ERROR",
        "includeExecutionData": True,
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": LOG_GROUP}}],
    }
    encryption = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/engine"}

    arn = create(loggingConfiguration=logging, encryptionConfiguration=encryption)["stateMachineArn"]

    found = sfn.describe_state_machine(stateMachineArn=arn)
    assert found["loggingConfiguration"] == logging
    assert found["encryptionConfiguration"] == {**encryption, "kmsDataKeyReusePeriodSeconds": 300}


def test_metadata_alone_leaves_the_definition_out(sfn: "SFNClient", create: Create) -> None:
    arn = create()["stateMachineArn"]

    found = sfn.describe_state_machine(stateMachineArn=arn, includedData="METADATA_ONLY")

    assert "definition" not in found


def test_an_update_that_changes_something_is_a_new_revision(sfn: "SFNClient", create: Create) -> None:
    arn = create()["stateMachineArn"]

    first = sfn.update_state_machine(stateMachineArn=arn, definition=OTHER)
    same = sfn.update_state_machine(stateMachineArn=arn, definition=OTHER, roleArn=ROLE)
    second = sfn.update_state_machine(stateMachineArn=arn, roleArn=f"{ROLE}-2")

    assert first["revisionId"] == same["revisionId"] != second["revisionId"]
    found = sfn.describe_state_machine(stateMachineArn=arn)
    assert (found["definition"], found["roleArn"], found["revisionId"]) == (OTHER, f"{ROLE}-2", second["revisionId"])


def test_an_update_of_nothing_is_refused(sfn: "SFNClient", create: Create) -> None:
    arn = create()["stateMachineArn"]

    assert refusal(sfn.update_state_machine, stateMachineArn=arn)[0] == "MissingRequiredParameter"
    assert refusal(sfn.update_state_machine, stateMachineArn=arn, publish=True)[0] == "MissingRequiredParameter"


def test_a_revision_has_one_version_with_a_unique_number(sfn: "SFNClient", create: Create) -> None:
    arn = create(publish=True)["stateMachineArn"]
    again = sfn.publish_state_machine_version(stateMachineArn=arn)
    second = sfn.update_state_machine(stateMachineArn=arn, definition=OTHER, publish=True, versionDescription="two")
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:2")

    third = sfn.publish_state_machine_version(stateMachineArn=arn, description="three")

    assert again["stateMachineVersionArn"] == f"{arn}:1"
    assert second["stateMachineVersionArn"] == f"{arn}:2"
    assert third["stateMachineVersionArn"] == f"{arn}:3"
    versions = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [one["stateMachineVersionArn"] for one in versions] == [f"{arn}:3", f"{arn}:1"]
    assert sfn.describe_state_machine(stateMachineArn=f"{arn}:3")["description"] == "three"
    assert sfn.describe_state_machine(stateMachineArn=f"{arn}:1")["definition"] == PASS


def test_only_the_current_revision_can_be_published(sfn: "SFNClient", create: Create) -> None:
    arn = create()["stateMachineArn"]

    assert refusal(sfn.publish_state_machine_version, stateMachineArn=arn, revisionId="old")[0] == "ConflictException"
    assert sfn.publish_state_machine_version(stateMachineArn=arn, revisionId="INITIAL")


def test_a_version_of_an_alias_cannot_be_deleted(sfn: "SFNClient", create: Create) -> None:
    version = create(publish=True)["stateMachineVersionArn"]
    sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )

    assert refusal(sfn.delete_state_machine_version, stateMachineVersionArn=version) == (
        "ConflictException",
        "Version to be deleted must not be referenced by an alias. "
        "Current list of aliases referencing this version: [live]",
    )


def test_another_alias_of_a_taken_name_is_refused(sfn: "SFNClient", create: Create) -> None:
    routes: Any = [{"stateMachineVersionArn": create(publish=True)["stateMachineVersionArn"], "weight": 100}]
    sfn.create_state_machine_alias(name="live", description="now", routingConfiguration=routes)

    assert refusal(sfn.create_state_machine_alias, name="live", description="then", routingConfiguration=routes) == (
        "ConflictException",
        "Failed to create alias because an alias with the same name and a different routing configuration "
        "already exists.",
    )


def test_an_update_of_a_version_finds_no_machine(sfn: "SFNClient", create: Create) -> None:
    version = create(publish=True)["stateMachineVersionArn"]

    assert refusal(sfn.update_state_machine, stateMachineArn=version, definition=OTHER) == (
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{version}'",
    )


def test_an_alias_is_created_updated_listed_and_deleted(sfn: "SFNClient", create: Create) -> None:
    made = create(publish=True)
    arn, one = made["stateMachineArn"], made["stateMachineVersionArn"]
    two = sfn.update_state_machine(stateMachineArn=arn, definition=OTHER, publish=True)["stateMachineVersionArn"]
    routes: Any = [{"stateMachineVersionArn": one, "weight": 100}]
    alias = sfn.create_state_machine_alias(name="live", description="now", routingConfiguration=routes)
    again = sfn.create_state_machine_alias(name="live", description="now", routingConfiguration=routes)
    both: Any = [{"stateMachineVersionArn": one, "weight": 60}, {"stateMachineVersionArn": two, "weight": 40}]
    alias_arn = alias["stateMachineAliasArn"]

    sfn.update_state_machine_alias(stateMachineAliasArn=alias_arn, routingConfiguration=both)

    found = sfn.describe_state_machine_alias(stateMachineAliasArn=alias_arn)
    assert again["stateMachineAliasArn"] == alias_arn == f"{arn}:live"
    assert (found["name"], found["description"], found["routingConfiguration"]) == ("live", "now", both)
    listed = sfn.list_state_machine_aliases(stateMachineArn=two)["stateMachineAliases"]
    assert [one["stateMachineAliasArn"] for one in listed] == [alias_arn]
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias_arn)
    assert sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"] == []
    assert refusal(sfn.describe_state_machine_alias, stateMachineAliasArn=alias_arn) == (
        "ResourceNotFound",
        "Request references a resource that does not exist.",
    )


def test_the_weights_of_an_alias_must_sum_to_100(sfn: "SFNClient", create: Create) -> None:
    one, other = (create(publish=True) for _ in range(2))

    def text(*routes: tuple[str, int]) -> str:
        configuration = [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in routes]
        return refusal(sfn.create_state_machine_alias, name="live", routingConfiguration=configuration)[1]

    version = one["stateMachineVersionArn"]
    assert "distinct" in text((version, 50), (version, 50))
    assert "must contain state machine version ARNs" in text((one["stateMachineArn"], 100))
    assert text((version, 99)) == "Sum of routing configuration weights must equal 100. Received: [99]"
    assert "one state machine" in text((version, 50), (other["stateMachineVersionArn"], 50))
    assert "does not exist" in text((f"{one['stateMachineArn']}:9", 100))


def test_pages_have_the_requested_size_and_a_next_token(sfn: "SFNClient", create: Create) -> None:
    made = [create()["stateMachineArn"] for _ in range(3)]

    found: list[str] = []
    page = sfn.list_state_machines(maxResults=2)
    while True:
        assert len(page["stateMachines"]) <= 2
        found += [one["stateMachineArn"] for one in page["stateMachines"]]
        if "nextToken" not in page:
            break
        page = sfn.list_state_machines(maxResults=2, nextToken=page["nextToken"])

    assert [arn for arn in found if arn in made] == made
    assert len(found) == len(set(found))


@pytest.mark.parametrize("token", ["nonsense", "bm9uc2Vuc2U=", "WzFd", "W1tdLHt9XQ=="])
def test_an_unknown_next_token_is_refused(sfn: "SFNClient", token: str) -> None:
    assert refusal(sfn.list_state_machines, nextToken=token) == ("InvalidToken", "Invalid Token: 'Invalid token'")


def test_deleting_a_machine_deletes_versions_aliases_and_tags(sfn: "SFNClient", create: Create) -> None:
    made = create(publish=True, tags=[{"key": "team", "value": "night"}], name="mayfly")
    arn, version = made["stateMachineArn"], made["stateMachineVersionArn"]
    sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )

    sfn.delete_state_machine(stateMachineArn=arn)
    sfn.delete_state_machine(stateMachineArn=arn)

    for gone in (arn, version):
        assert refusal(sfn.describe_state_machine, stateMachineArn=gone) == (
            "StateMachineDoesNotExist",
            f"State Machine Does Not Exist: '{gone}'",
        )
    assert refusal(sfn.list_tags_for_resource, resourceArn=arn)[0] == "ResourceNotFound"
    create(name="mayfly")
    assert sfn.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"] == []
    assert sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"] == []


def test_deleting_a_machine_ends_its_executions(sfn: "SFNClient", create: Create, server: Server) -> None:
    arn = create(WAIT)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]

    sfn.delete_state_machine(stateMachineArn=arn)

    assert server.runner.closed(execution, 10).status == "ABORTED"
    assert refusal(sfn.start_execution, stateMachineArn=arn)[0] == "StateMachineDoesNotExist"


def test_an_interrupted_deletion_is_finished(sfn: "SFNClient", create: Create, server: Server) -> None:
    arn = create(WAIT)["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    server.runner.store.put_document(Document(DELETION, arn, {}))

    resume_deletions(server.runner)

    assert server.runner.closed(execution, 10).status == "ABORTED"
    assert refusal(sfn.describe_state_machine, stateMachineArn=arn)[0] == "StateMachineDoesNotExist"
    assert server.runner.store.documents(DELETION) == []


def test_a_version_whose_machine_was_not_saved_keeps_its_number(
    sfn: "SFNClient", create: Create, server: Server
) -> None:
    arn = create(publish=True)["stateMachineArn"]
    before = server.runner.store.document("state_machine", arn)
    sfn.update_state_machine(stateMachineArn=arn, definition=OTHER, publish=True)
    assert before is not None
    server.runner.store.put_document(before)

    changed = sfn.update_state_machine(stateMachineArn=arn, definition=WAIT, publish=True)

    assert changed["stateMachineVersionArn"] == f"{arn}:2"
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:2")
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == f"{arn}:3"


def test_tags_are_kept_by_key(sfn: "SFNClient", create: Create) -> None:
    arn = create(tags=[{"key": "team", "value": "night"}])["stateMachineArn"]

    sfn.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "day"}, {"key": "stage", "value": ""}])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [
        {"key": "team", "value": "day"},
        {"key": "stage", "value": ""},
    ]
    sfn.untag_resource(resourceArn=arn, tagKeys=["team", "unknown"])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": ""}]


def test_a_version_has_no_tags(sfn: "SFNClient", create: Create) -> None:
    version = create(publish=True)["stateMachineVersionArn"]

    assert refusal(sfn.tag_resource, resourceArn=version, tags=[]) == (
        "ResourceNotFound",
        f"Resource not found: '{version}'",
    )


@pytest.mark.parametrize(
    ("arn", "detail"),
    [
        ("nothing", "Invalid ARN prefix: nothing"),
        ("arn:aws:states:eu-west-1:1:stateMachine", "Invalid ARN: arn:aws:states:eu-west-1:1:stateMachine"),
        ("arn:aws:sqs:eu-west-1:1:stateMachine:a", "Invalid service in ARN: sqs"),
        ("arn:aws:states:eu-west-1:1:execution:a:b", "Resource type not valid in this context: execution"),
    ],
)
def test_an_invalid_state_machine_arn_is_refused(sfn: "SFNClient", arn: str, detail: str) -> None:
    assert refusal(sfn.describe_state_machine, stateMachineArn=arn) == ("InvalidArn", f"Invalid Arn: '{detail}'")


def test_validate_answers_all_problems_without_an_error(sfn: "SFNClient") -> None:
    broken = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass"}, "B": {"Type": "Pass"}}})

    found = sfn.validate_state_machine_definition(definition=broken)
    cut = sfn.validate_state_machine_definition(definition=broken, maxResults=1)
    fine = sfn.validate_state_machine_definition(definition=PASS, severity="WARNING")

    assert (found["result"], found["truncated"]) == ("FAIL", False)
    assert {one.get("location") for one in found["diagnostics"]} >= {"/States/A", "/States/B"}
    assert (len(cut["diagnostics"]), cut["truncated"]) == (1, True)
    assert (fine["result"], fine["diagnostics"]) == ("OK", [])


def test_the_variables_of_each_state_are_described(sfn: "SFNClient", create: Create) -> None:
    definition = machine_of(
        Keep={"Type": "Pass", "Assign": {"guard": 1}}, Use={"Type": "Pass", "Parameters": {"guard.$": "$guard"}}
    )

    arn = create(definition)["stateMachineArn"]

    assert sfn.describe_state_machine(stateMachineArn=arn)["variableReferences"] == {"Use": ["guard"]}
