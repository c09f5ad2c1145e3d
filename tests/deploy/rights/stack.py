"""The template's stack in moto: queues, bucket, table and secrets."""

import json
import os
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from django.test import override_settings
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from deploy.packages.functions import FUNCTIONS_BY_NAME
from deploy.template.check import PARAMETERS, REGION
from deploy.template.cloudformation import Template, point_at_objects, read_template, translate
from qu_workflows.aws import clients as aws
from tests.deploy.rights.judging import Judge
from tests.deploy.rights.policies import Statement, read_statement
from tests.deploy.rights.resolving import ACCOUNT, WHOLE_STACK, Names


@cache
def translated_template() -> Template:
    """Return the template translated by SAM, already during collection."""
    return translate(
        point_at_objects(read_template(), lambda path: f"s3://example-bucket/{path.name}"), PARAMETERS, REGION
    )


@cache
def names() -> Names:
    """Return the names of the whole stack."""
    return Names(translated_template())


def policies_of(role: str) -> Mapping[str, tuple[Statement, ...]]:
    """Return a role's policies by name, attached AWS policies included."""
    properties = names().properties(role)
    own = {one["PolicyName"]: read_statements(one["PolicyDocument"]) for one in properties.get("Policies", [])}
    attached = {arn: _attached(arn) for arn in properties.get("ManagedPolicyArns", [])}
    return own | attached


def role_of(function: str) -> str:
    """Return the logical id of a function's role."""
    return f"{FUNCTIONS_BY_NAME[function].resource}Role"


@cache
def statements_of(role: str) -> tuple[Statement, ...]:
    """Return all of a role's statements."""
    return tuple(statement for statements in policies_of(role).values() for statement in statements)


@cache
def managed_policy(resource: str) -> tuple[Statement, ...]:
    """Return the statements of one of the stack's own managed policies."""
    return read_statements(names().properties(resource)["PolicyDocument"])


def read_statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    given = document["Statement"]
    return tuple(read_statement(one) for one in ([given] if isinstance(given, dict) else given))


def _attached(arn: str) -> tuple[Statement, ...]:
    own = {names().arn(policy): policy for policy in names().of_type("AWS::IAM::ManagedPolicy")}
    if arn in own:
        return managed_policy(own[arn])
    return read_statements(_policies_of_aws()[arn.rpartition("/")[2]]["Document"])


@cache
def _policies_of_aws() -> Mapping[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # 2 MB of JSON

    found: Mapping[str, Any] = json.loads(aws_managed_policies_data)
    return found


@dataclass(frozen=True)
class Stack:
    """The running stack. Direct calls are not judged."""

    judge: Judge
    bucket: str
    table: str
    queue_url: str
    dlq_url: str

    @property
    def s3(self) -> Any:
        return client("s3")

    @property
    def sqs(self) -> Any:
        return client("sqs")

    def put(self, key: str, data: bytes | str) -> None:
        """Put an object into the bucket."""
        with self.judge.not_asked():
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def stored_keys(self) -> set[str]:
        """Return the keys of the bucket."""
        return set(s3_backends[ACCOUNT]["aws"].buckets[self.bucket].keys)

    def empty(self) -> None:
        """Empty the bucket, queues and table, and verify the sender."""
        s3_backends[ACCOUNT]["aws"].buckets[self.bucket].keys.clear()
        for queue in sqs_backends[ACCOUNT][REGION].queues.values():
            queue._messages = []  # PurgeQueue works once a minute
        dynamodb_backends[ACCOUNT][REGION].tables[self.table].items.clear()
        client("ses").verify_email_identity(EmailAddress=names().ref("DefaultFromEmail"))


@cache
def client(service: str) -> Any:
    """Return boto3's client of a service."""
    return boto3.client(service, REGION)  # type: ignore[call-overload]  # any of them


def stand_up(judge: Judge) -> Stack:
    """Make in moto what the template names."""
    stack = Stack(
        judge,
        bucket=names().name("Bucket"),
        table=names().name("SentEmailsTable"),
        queue_url=names().ref("TasksQueue"),
        dlq_url=names().ref("TasksDeadLetterQueue"),
    )
    where: Any = {"LocationConstraint": REGION}
    stack.s3.create_bucket(Bucket=stack.bucket, CreateBucketConfiguration=where)
    for queue in sorted(names().of_type("AWS::SQS::Queue"), key=_redrives):  # dead-letter queues first
        policy = names().properties(queue).get("RedrivePolicy")
        attributes = {"RedrivePolicy": json.dumps(policy)} if policy else {}
        made = stack.sqs.create_queue(QueueName=names().name(queue), Attributes=attributes)["QueueUrl"]
        assert made == names().ref(queue)
    client("dynamodb").create_table(
        TableName=stack.table,
        KeySchema=[{"AttributeName": "send_once_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "send_once_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    _make_secrets()
    for group in names().of_type("AWS::Scheduler::ScheduleGroup"):
        client("scheduler").create_schedule_group(Name=names().name(group))
    return stack


def _redrives(queue: str) -> bool:
    return "RedrivePolicy" in names().properties(queue)


def _make_secrets() -> None:
    secrets = client("secretsmanager")
    texts = {"DatabaseUrlSecret": os.environ["DATABASE_URL"], "DjangoSecretKeySecret": "a key of the tests"}
    for parameter, text in texts.items():
        secrets.create_secret(Name=WHOLE_STACK[parameter], SecretString=text)


@contextmanager
def running_as(function: str) -> Generator[None]:
    """Set a function's environment and the Django settings from it."""
    variables = environment_of(function)
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, variables))
        if FUNCTIONS_BY_NAME[function].needs_database:
            stack.enter_context(_django_of_the_stack(variables))
        yield


@contextmanager
def running_django(_person: str) -> Generator[None]:
    """Have the settings that the web process would have, and the commands."""
    with _django_of_the_stack(environment_of("run_task")):
        yield


def environment_of(function: str) -> dict[str, str]:
    """Return a function's environment variables."""
    properties = names().properties(FUNCTIONS_BY_NAME[function].resource)
    return {name: str(value) for name, value in properties["Environment"]["Variables"].items()}


@contextmanager
def _django_of_the_stack(variables: Mapping[str, str]) -> Generator[None]:
    """Have Django's settings name the stack's queues, bucket and schedules."""
    from qu_workflows.aws import clients as aws

    given = {
        name: variables[name]
        for name in ("AWS_SQS_QUEUE_URL", "AWS_SQS_DLQ_URL", "AWS_STORAGE_BUCKET_NAME", "AWS_SCHEDULER_ROLE_ARN")
    }
    group, schedules = names().name("TaskSchedules"), names().name("Schedules")
    storage = {"BACKEND": "reports.files.s3_storage.SignedS3Storage"}
    options = {"bucket_name": given["AWS_STORAGE_BUCKET_NAME"], "region_name": REGION, "file_overwrite": True}
    options |= {"default_acl": None, "signature_version": "s3v4"}
    files = {
        "default": storage | {"OPTIONS": options | {"location": "media/"}},
        "objects": storage | {"OPTIONS": options | {"location": ""}},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    aws.forget_clients()
    with override_settings(
        **given,
        AWS_SCHEDULER_GROUP_NAME=group,
        AWS_SCHEDULES_GROUP_NAME=schedules,
        USE_ASYNC_TASKS=True,
        STORAGES=files,
    ):
        yield


def forget_clients() -> None:
    """Drop all cached clients, since they belong to another moto."""
    from lambdas.shared.runtime.aws import aws_client

    aws.forget_clients()
    aws_client.cache_clear()
    client.cache_clear()
