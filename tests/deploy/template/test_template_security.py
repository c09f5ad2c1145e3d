"""Protection of the stack's data: encryption, transport, versions of files."""

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.packages.functions import FUNCTIONS, Function
from deploy.template.cloudformation import Template

KEY = {"Fn::If": ["MakesKey", {"Fn::GetAtt": ["EncryptionKeyOfStack", "Arn"]}, {"Ref": "EncryptionKey"}]}
KEY_OR_NONE = {"Fn::If": ["HasKey", KEY, {"Ref": "AWS::NoValue"}]}
# What a role has the key for, by the service that asks in its name; the second are those that new data goes to.
READS_AND_WRITES: dict[str, tuple[set[str], set[str]]] = {
    **{
        f"{function.resource}Role": ({"lambda", "secretsmanager"} if function.needs_database else {"lambda"}, set())
        for function in FUNCTIONS
    },
    "DispatchTasksFunctionRole": ({"lambda", "sqs"}, set()),
    "InspectFileFunctionRole": ({"lambda", "s3"}, set()),
    "MakeThumbnailsFunctionRole": ({"lambda", "s3"}, {"s3"}),
    "RenderEmailFunctionRole": ({"lambda", "secretsmanager", "s3"}, {"s3"}),
    "SendEmailFunctionRole": ({"lambda", "s3", "dynamodb"}, set()),
    "RunTaskFunctionRole": ({"lambda", "secretsmanager", "s3", "sqs"}, {"s3", "sqs"}),
    "RecordExecutionStatusFunctionRole": ({"lambda", "secretsmanager", "sqs"}, {"sqs"}),
    "SchedulerRole": ({"sqs"}, {"sqs"}),
    "BackendPolicy": ({"s3", "sqs"}, {"s3", "sqs"}),
    "OperatorPolicy": ({"s3", "sqs"}, {"s3", "sqs"}),
}


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: it["Properties"] for name, it in template["Resources"].items() if it["Type"] == kind}


def statements(translated: Template, name: str) -> Iterator[dict[str, Any]]:
    properties = translated["Resources"][name]["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for document in [*documents, *([properties["PolicyDocument"]] if "PolicyDocument" in properties else [])]:
        yield from document["Statement"]


def actions(statement: dict[str, Any]) -> list[str]:
    given: str | list[str] = statement["Action"]
    return [given] if isinstance(given, str) else given


def test_the_key_is_rotated_and_outlives_the_stack(template: Template) -> None:
    key = template["Resources"]["EncryptionKeyOfStack"]

    assert key["Properties"]["EnableKeyRotation"] is True
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert (template["Parameters"]["EncryptionKey"]["Default"], key["Condition"]) == ("stack", "MakesKey")


def test_a_service_may_use_the_key_for_this_stack_alone(template: Template) -> None:
    [administrator, *services] = of_type(template, "AWS::KMS::Key")["EncryptionKeyOfStack"]["KeyPolicy"]["Statement"]

    assert administrator["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    for statement in services:
        assert list(statement["Principal"]) == ["Service"]
        named = [
            one["Fn::Sub"]
            for test in ("ArnLike", "ArnEquals")
            for value in statement["Condition"].get(test, {}).values()
            for one in (value if isinstance(value, list) else [value])
        ]
        assert named
        assert all(":${AWS::AccountId}:" in one and "${Prefix}-${Stage}-" in one for one in named)


@pytest.mark.parametrize(
    ("kind", "attribute"), [("AWS::SQS::Queue", "KmsMasterKeyId"), ("AWS::Logs::LogGroup", "KmsKeyId")]
)
def test_each_queue_and_each_log_group_is_under_the_key(template: Template, kind: str, attribute: str) -> None:
    found = of_type(template, kind)

    assert found
    assert all(properties[attribute] == KEY_OR_NONE for properties in found.values())


def test_a_queue_without_the_key_is_under_sqs_s_own(template: Template) -> None:
    for queue in of_type(template, "AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] == {"Fn::If": ["HasKey", {"Ref": "AWS::NoValue"}, True]}


def test_the_bucket_the_table_and_the_environments_are_under_the_key(template: Template, translated: Template) -> None:
    [rule] = template["Resources"]["Bucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    by_default = rule["ServerSideEncryptionByDefault"]["Fn::If"]

    assert by_default[:2] == ["HasKey", {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}]
    assert rule["BucketKeyEnabled"]["Fn::If"][:2] == ["HasKey", True]
    assert template["Resources"]["SentEmailsTable"]["Properties"]["SSESpecification"]["KMSMasterKeyId"] == KEY_OR_NONE
    for function in of_type(translated, "AWS::Lambda::Function").values():
        assert function["KmsKeyArn"] == KEY_OR_NONE


@pytest.mark.parametrize("name", READS_AND_WRITES)
def test_a_role_uses_the_key_only_through_its_services(translated: Template, name: str) -> None:
    read, written = set[str](), set[str]()
    for statement in statements(translated, name):
        if statement["Effect"] != "Allow" or not any(action.startswith("kms:") for action in actions(statement)):
            continue
        services = {
            one["Fn::Sub"].removesuffix(".${AWS::Region}.amazonaws.com")
            for one in statement["Condition"]["StringEquals"]["kms:ViaService"]
        }
        assert statement["Resource"]["Fn::If"][:2] == ["HasKey", KEY]
        assert statement["Resource"]["Fn::If"][2]["Fn::Sub"].endswith(":key/none")
        assert set(actions(statement)) <= {"kms:Decrypt", "kms:GenerateDataKey"}
        read |= services if "kms:Decrypt" in actions(statement) else set()
        written |= services if "kms:GenerateDataKey" in actions(statement) else set()

    assert (read, written) == READS_AND_WRITES[name]


def test_no_other_role_has_the_key(translated: Template) -> None:
    policies = [name for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy") for name in of_type(translated, kind)]

    with_key = {
        name
        for name in policies
        for statement in statements(translated, name)
        if any(action.startswith("kms:") for action in actions(statement))
    }

    assert with_key == set(READS_AND_WRITES)


def test_queues_and_bucket_refuse_what_comes_unencrypted(template: Template) -> None:
    refusing: set[str] = set()
    for kind, attribute in (("AWS::SQS::QueuePolicy", "Queues"), ("AWS::S3::BucketPolicy", "Bucket")):
        for policy in of_type(template, kind).values():
            [statement] = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            assert (statement["Principal"], statement["Action"]) in {("*", "sqs:*"), ("*", "s3:*")}
            owners = policy[attribute] if isinstance(policy[attribute], list) else [policy[attribute]]
            refusing |= {owner["Ref"] for owner in owners}

    assert refusing == {*of_type(template, "AWS::SQS::Queue"), *of_type(template, "AWS::S3::Bucket")}


def test_old_versions_of_files_are_kept_for_a_month(template: Template, translated: Template) -> None:
    bucket = template["Resources"]["Bucket"]["Properties"]
    [rule] = [one for one in bucket["LifecycleConfiguration"]["Rules"] if "NoncurrentVersionExpiration" in one]

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert (rule["NoncurrentVersionExpiration"], "Prefix" in rule) == ({"NoncurrentDays": 30}, False)
    policies = [name for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy") for name in of_type(translated, kind)]
    allowed = {
        action
        for name in policies
        for statement in statements(translated, name)
        if statement["Effect"] == "Allow"
        for action in actions(statement)
    }
    assert "s3:DeleteObject" in allowed
    assert not allowed & {"s3:*", "s3:DeleteObjectVersion", "s3:PutBucketVersioning", "s3:PutLifecycleConfiguration"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_in_the_vpc_are_the_functions_with_a_database_and_no_others(translated: Template, function: Function) -> None:
    properties = translated["Resources"][function.resource]["Properties"]

    assert (properties.get("VpcConfig", {}).get("Fn::If", [""])[0] == "HasVpc") == function.needs_database


def test_operators_may_delete_nothing_of_production_whatever_else_their_role_allows(template: Template) -> None:
    [denied] = [
        one
        for one in template["Resources"]["OperatorPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Effect"] == "Deny"
    ]

    assert denied["Condition"] == {"StringEquals": {"aws:ResourceTag/stage": "production"}}
    assert {"states:DeleteStateMachine", "sqs:PurgeQueue", "kms:ScheduleKeyDeletion"} <= set(denied["Action"])
    assert "states:StopExecution" not in denied["Action"]
