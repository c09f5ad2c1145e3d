"""What the stack's template promises of its data and its traces, once it is deployed."""

from tests.e2e.conftest import WholePath
from tests.e2e.test_tasks import enqueue
from workflows.traces import trace_id_of


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
