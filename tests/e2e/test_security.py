"""Encryption, access and traces of the deployed stack."""

import json
from typing import Any

import boto3

from deploy.template.alarms import alarms
from deploy.template.cloudformation import read_template
from qu_workflows.protocol.traces import trace_id_of
from tests.e2e.conftest import WholePath
from tests.e2e.test_tasks import enqueue

OTHER_PRINCIPAL: dict[str, Any] = {
    "region_name": "us-east-2",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}


def test_queues_are_under_the_stack_s_key_and_files_have_versions(path: WholePath) -> None:
    outputs, aws = path.stack.outputs, path.stack.aws
    key = outputs["EncryptionKeyArn"]

    for queue in ("TasksQueueUrl", "TasksDeadLetterQueueUrl", "StatusEventsDeadLetterQueueUrl"):
        found = aws.sqs.get_queue_attributes(QueueUrl=outputs[queue], AttributeNames=["All"])["Attributes"]
        assert found["KmsMasterKeyId"] == key
        assert "aws:SecureTransport" in found["Policy"]
    # ministack's CloudFormation leaves out a bucket's encryption; the template's own tests look at that.
    assert aws.s3.get_bucket_versioning(Bucket=outputs["BucketName"])["Status"] == "Enabled"


def test_the_trace_that_begins_with_the_task_is_the_execution_s(path: WholePath) -> None:
    task_id = enqueue(path, "custom_processing.enqueue('example')")

    arn = path.finished(task_id, "run_task").arn
    [(enqueued_at,)] = path.rows("SELECT enqueued_at FROM executions_taskrecord WHERE id = %s", task_id)

    header = path.stack.aws.step_functions.describe_execution(executionArn=arn)["traceHeader"]
    assert f"Root={trace_id_of(task_id, enqueued_at)};" in header


def test_alarms_publish_to_the_topic_and_are_on_the_dashboard(path: WholePath) -> None:
    topic = path.stack.outputs["AlarmsTopicArn"]
    cloudwatch = boto3.client("cloudwatch", endpoint_url=path.stack.aws.endpoint, **OTHER_PRINCIPAL)

    found = {
        one["AlarmName"].removeprefix(stack_prefix(topic)): one
        for page in cloudwatch.get_paginator("describe_alarms").paginate()
        for one in page["MetricAlarms"]
    }
    [dashboard] = cloudwatch.list_dashboards()["DashboardEntries"]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"])

    # ministack has no metric math: deploy/local/aws/deployment.py leaves out those alarms.
    assert found.keys() == {alarm.name for alarm in alarms(read_template()) if not alarm.expression}
    assert all(one["AlarmActions"] == one["OKActions"] == [topic] for one in found.values())
    assert found["tasks-age"]["Dimensions"][0]["Value"] == path.stack.outputs["TasksQueueUrl"].rpartition("/")[2]
    assert body["widgets"][0]["properties"]["alarms"][0].endswith(f":alarm:{stack_prefix(topic)}tasks-dead-letters")


def stack_prefix(topic_arn: str) -> str:
    return topic_arn.rpartition(":")[2].removesuffix("alarms")
