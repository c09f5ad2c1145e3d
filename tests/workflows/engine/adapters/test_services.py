"""Calls of AWS services: spelling, results and refusals."""

import json
import re
from typing import Any

import pytest

from asl_engine.adapters.performer import TaskCall, TaskError
from asl_engine.adapters.registry import Registry
from asl_engine.adapters.services import ServiceClients

UUID = r"[0-9A-Za-z-]{20,}"
ITEM = {"id": {"S": "1"}, "on": {"BOOL": True}}


@pytest.fixture
def registry(clients: ServiceClients) -> Registry:
    return Registry(clients=clients)


@pytest.fixture
def table(clients: ServiceClients) -> str:
    clients.client("dynamodb").create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "things"


@pytest.fixture
def bucket(clients: ServiceClients) -> str:
    region = {"LocationConstraint": "us-east-2"}
    clients.client("s3").create_bucket(Bucket="things", CreateBucketConfiguration=region)
    return "things"


def perform(registry: Registry, resource: str, parameters: Any, **rest: Any) -> Any:
    return registry.perform(TaskCall(f"arn:aws:states:::{resource}", parameters, **rest))


def error_of(registry: Registry, resource: str, parameters: Any) -> TaskError:
    with pytest.raises(TaskError) as raised:
        perform(registry, resource, parameters)
    return raised.value


def without_metadata(result: dict[str, Any]) -> dict[str, Any]:
    assert result.pop("SdkHttpMetadata")["HttpStatusCode"] == 200
    assert result.pop("SdkResponseMetadata")["RequestId"]
    return result


def test_dynamodb_keeps_its_attribute_types(registry: Registry, table: str) -> None:
    put = perform(registry, "dynamodb:putItem", {"TableName": table, "Item": ITEM})
    got = perform(registry, "dynamodb:getItem", {"TableName": table, "Key": {"id": {"S": "1"}}})

    assert without_metadata(put) == {}
    assert without_metadata(got) == {"Item": ITEM}


def test_an_aws_sdk_task_spells_members_as_version_2_of_the_sdk(registry: Registry, table: str) -> None:
    item = {"id": {"S": "1"}, "on": {"Bool": True}, "tags": {"Ss": ["a"]}}

    assert perform(registry, "aws-sdk:dynamodb:putItem", {"TableName": table, "Item": item}) == {}
    got = perform(registry, "aws-sdk:dynamodb:getItem", {"TableName": table, "Key": {"id": {"S": "1"}}})

    assert got == {"Item": item}


def test_map_keys_are_not_renamed(registry: Registry, table: str) -> None:
    perform(registry, "aws-sdk:dynamodb:putItem", {"TableName": table, "Item": {"id": {"S": "1"}, "lower": {"N": "1"}}})
    query = {
        "TableName": table,
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": {"S": "1"}},
    }

    assert perform(registry, "aws-sdk:dynamodb:query", query) == {
        "Items": [{"id": {"S": "1"}, "lower": {"N": "1"}}],
        "Count": 1,
        "ScannedCount": 1,
    }


def test_a_message_body_of_json_is_sent_as_text(registry: Registry, clients: ServiceClients) -> None:
    url = clients.client("sqs").create_queue(QueueName="q")["QueueUrl"]

    result = without_metadata(perform(registry, "sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"a": [1, "é"]}}))

    received = clients.client("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert received["Body"] == '{"a":[1,"é"]}'
    assert result == {"MD5OfMessageBody": received["MD5OfBody"], "MessageId": received["MessageId"]}


def test_a_topic_accepts_a_message_of_json(registry: Registry, clients: ServiceClients) -> None:
    arn = clients.client("sns").create_topic(Name="t")["TopicArn"]

    result = perform(registry, "sns:publish", {"TopicArn": arn, "Message": {"a": 1}, "Subject": None})

    assert list(without_metadata(result)) == ["MessageId"]


def test_events_name_their_execution(registry: Registry, clients: ServiceClients) -> None:
    sent: list[Any] = []
    events = clients.client("events")
    events.meta.events.register("provide-client-params.events.PutEvents", lambda params, **_: sent.append(params))
    entries = [{"Source": "reports", "DetailType": "Made", "Detail": {"id": 1}, "Resources": ["r"]}]

    result = perform(
        registry, "events:putEvents", {"Entries": entries}, execution_arn="execution", state_machine_arn="machine"
    )

    assert sent[0]["Entries"] == [
        {"Source": "reports", "DetailType": "Made", "Detail": '{"id":1}', "Resources": ["r", "execution", "machine"]}
    ]
    assert without_metadata(result)["FailedEntryCount"] == 0


def test_one_event_refused_fails_the_task(registry: Registry) -> None:
    entries = [{"Source": "reports", "DetailType": "Made", "Detail": {}}, {"DetailType": "Made", "Detail": {}}]

    error = error_of(registry, "events:putEvents", {"Entries": entries})

    details = json.loads(error.cause or "")
    assert (error.error, details["FailedEntryCount"]) == ("EventBridge.FailedEntry", 1)
    assert list(details["Entries"][0]) == ["EventId"]
    assert details["Entries"][1]["ErrorCode"] == "InvalidArgument"


def test_a_refusal_of_an_optimised_integration(registry: Registry) -> None:
    error = error_of(registry, "dynamodb:putItem", {"TableName": "none", "Item": ITEM})

    assert error.error == "DynamoDB.ResourceNotFoundException"
    assert re.fullmatch(
        r"Requested resource not found \(Service: AmazonDynamoDBv2; Status Code: 400; "
        rf"Error Code: ResourceNotFoundException; Request ID: {UUID}; Proxy: null\)",
        error.cause or "",
    )


def test_an_error_is_named_by_its_class_not_its_code(registry: Registry) -> None:
    arn = "arn:aws:sns:us-east-2:123456789012:none"

    error = error_of(registry, "sns:publish", {"TopicArn": arn, "Message": "m"})

    assert error.error == "SNS.NotFoundException"
    assert "(Service: AmazonSNS; Status Code: 404; Error Code: NotFound; " in (error.cause or "")


def test_a_refusal_of_an_aws_sdk_integration(registry: Registry) -> None:
    error = error_of(registry, "aws-sdk:s3:listObjects", {"Bucket": "none"})

    assert error.error == "S3.NoSuchBucketException"
    assert re.fullmatch(
        r"The specified bucket does not exist \(Service: S3, Status Code: 404, Request ID: \S+, "
        r"Extended Request ID: \S+\) \(SDK Attempt Count: 1\)",
        error.cause or "",
    )


@pytest.mark.parametrize(
    ("resource", "error", "service"),
    [
        ("aws-sdk:dynamodb:putItem", "DynamoDb.DynamoDbException", "(Service: DynamoDb, Status Code: 400"),
        ("dynamodb:putItem", "DynamoDB.AmazonDynamoDBException", "(Service: AmazonDynamoDBv2; Status Code: 400"),
    ],
)
def test_a_null_required_parameter_is_refused_as_by_the_service(
    registry: Registry, resource: str, error: str, service: str
) -> None:
    raised = error_of(registry, resource, {"TableName": "things", "Item": None})

    assert raised.error == error
    assert (raised.cause or "").startswith(
        "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null "
        + service
    )


def test_a_parameter_of_the_wrong_type_is_refused(registry: Registry) -> None:
    error = error_of(registry, "aws-sdk:dynamodb:putItem", {"TableName": "things", "Item": [1]})

    assert error.error == "DynamoDb.DynamoDbException"
    assert "Invalid type for parameter Item" in (error.cause or "")


@pytest.mark.parametrize(
    ("body", "stored"), [("text", b"text"), (False, b"false"), ({"a": 1}, b'{"a":1}'), (["a"], b'["a"]')]
)
def test_a_body_of_bytes_accepts_any_json(
    registry: Registry, clients: ServiceClients, bucket: str, body: Any, stored: bytes
) -> None:
    result = perform(registry, "aws-sdk:s3:putObject", {"Bucket": bucket, "Key": "k", "Body": body})

    kept = clients.client("s3").get_object(Bucket=bucket, Key="k")
    assert (kept["Body"].read(), kept["ContentType"]) == (stored, "text/plain; charset=UTF-8")
    assert result["ETag"].startswith('"')


@pytest.mark.parametrize(("data", "body"), [(b"text", "text"), (b"", ""), (b"\xff\x00", "/wA=")])
def test_bytes_are_returned_as_text_or_base64(
    registry: Registry, clients: ServiceClients, bucket: str, data: bytes, body: str
) -> None:
    clients.client("s3").put_object(Bucket=bucket, Key="k", Body=data)

    result = perform(registry, "aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "k"})

    assert (result["Body"], result["ContentLength"]) == (body, len(data))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["LastModified"])


def test_a_service_is_found_by_its_name_in_javas_sdk(registry: Registry) -> None:
    arn = "arn:aws:states:us-east-2:123456789012:stateMachine:none"
    error = error_of(registry, "aws-sdk:sfn:describeStateMachine", {"StateMachineArn": arn})
    listed = perform(registry, "aws-sdk:cloudwatchlogs:describeLogGroups", {})

    assert error.error == "Sfn.StateMachineDoesNotExistException"
    assert listed == {"LogGroups": []}


@pytest.mark.parametrize(
    ("resource", "parameters", "cause"),
    [
        ("aws-sdk:nothing:getThing", {}, "There is no service named 'nothing'."),
        ("aws-sdk:s3:getThing", {}, "The service 's3' has no action 'getThing'."),
        ("aws-sdk:s3:listBuckets", {"Wrong": 1}, "The field 'Wrong' is not supported by Step Functions"),
        ("ecs:runTask", {}, "The resource 'arn:aws:states:::ecs:runTask' is not supported by this engine."),
    ],
)
def test_an_unknown_operation_fails_without_a_call(
    registry: Registry, resource: str, parameters: Any, cause: str
) -> None:
    error = error_of(registry, resource, parameters)

    assert (error.error, error.cause, error.phase) == ("States.Runtime", cause, "schedule")


def test_a_refused_message_with_a_task_token_is_a_failed_submission(registry: Registry) -> None:
    url = "https://sqs.us-east-2.amazonaws.com/123456789012/none"

    error = error_of(registry, "sqs:sendMessage.waitForTaskToken", {"QueueUrl": url, "MessageBody": "m"})

    assert (error.error, error.phase) == ("SQS.QueueDoesNotExistException", "submit")


def test_an_unreachable_endpoint_is_a_client_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")

    error = error_of(Registry(), "sqs:sendMessage", {"QueueUrl": "http://q", "MessageBody": "m"})

    assert error.error == "SQS.SdkClientException"
    assert (error.cause or "").startswith("Unable to execute HTTP request: ")
