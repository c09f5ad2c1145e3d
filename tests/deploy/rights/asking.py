"""The IAM permissions of AWS API calls: actions, resources and condition keys, from AWS's tables.

Not each operation is an action of its name: SendMessageBatch asks for sqs:SendMessage, HeadObject for s3:GetObject.
And some ask for more than one thing: what is encrypted under a key of the stack asks for the key too, a schedule asks
to pass its role on. An operation that is not in these tables raises.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from collections.abc import Callable, Iterator, Mapping
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from deploy.template.check import REGION
from tests.deploy.rights.policies import Ask
from tests.deploy.rights.resolving import ACCOUNT, Names

type Parameters = Mapping[str, Any]


class NotInTheTables(Exception):
    """A call that these tables do not cover."""

    def __init__(self, service: str, operation: str) -> None:
        super().__init__(service, operation)
        self.service, self.operation = service, operation

    def __str__(self) -> str:
        return f"{self.service} {self.operation}: its IAM permissions are unknown. Add it to {__file__}."


class Asking:
    """Answers what calls ask for, of the resources of one stack."""

    def __init__(self, names: Names) -> None:
        self._keys = dict(_keys(names))
        self._tables: Mapping[str, Callable[[str, Parameters], Iterator[Ask]]] = {
            "dynamodb": self._dynamodb,
            "logs": self._logs,
            "s3": self._s3,
            "scheduler": self._scheduler,
            "secretsmanager": self._secrets_manager,
            "sesv2": self._ses,
            "sqs": self._sqs,
            "stepfunctions": self._step_functions,
        }

    def of(self, service: str, operation: str, given: Parameters) -> list[Ask]:
        """Return what a call asks for, by boto3's names; the call's own action comes first."""
        if service not in self._tables:
            raise NotInTheTables(service, operation)
        asked = list(self._tables[service](operation, given))
        if not asked:
            raise NotInTheTables(service, operation)
        return asked

    def of_missing(self, operation: str, given: Parameters) -> Ask | None:
        """Return the permission with which S3 answers 404 instead of 403 for a missing object.

        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        """
        if operation not in {"GetObject", "HeadObject"}:
            return None
        return Ask("s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}", {"s3:prefix": given["Key"]})

    def _s3(self, operation: str, given: Parameters) -> Iterator[Ask]:
        bucket = f"arn:aws:s3:::{given['Bucket']}"
        if operation in {"ListObjects", "ListObjectsV2"}:
            prefix = {"s3:prefix": given["Prefix"]} if "Prefix" in given else {}
            yield Ask("s3:ListBucket", bucket, prefix)
        elif operation == "DeleteObjects":  # one request per object
            yield from (Ask("s3:DeleteObject", f"{bucket}/{one['Key']}") for one in given["Delete"]["Objects"])
        elif operation in _S3_ACTIONS:
            action, *of_key = _S3_ACTIONS[operation]
            yield Ask(action, f"{bucket}/{given['Key']}")
            yield from self._of_key(bucket, "s3", *of_key)

    def _sqs(self, operation: str, given: Parameters) -> Iterator[Ask]:
        """A move asks for what it does with the messages, too.

        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
        """
        action = operation.removesuffix("Batch")
        if "MessageMoveTask" in operation:
            source = given.get("SourceArn") or self._source_of_moves
            self._source_of_moves = source
            yield Ask(f"sqs:{action}", source)
            yield from (Ask(f"sqs:{one}", source) for one in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"))
            if operation == "StartMessageMoveTask":
                yield Ask("sqs:SendMessage", given["DestinationArn"])
                yield from self._of_key(source, "sqs", "kms:Decrypt")
                yield from self._of_key(given["DestinationArn"], "sqs", "kms:GenerateDataKey", "kms:Decrypt")
        elif action in _SQS_KEYS:
            queue = queue_arn(given["QueueUrl"])
            yield Ask(f"sqs:{action}", queue)
            yield from self._of_key(queue, "sqs", *_SQS_KEYS[action])

    _source_of_moves = ""  # CancelMessageMoveTask names only the move, and needs the permission for its queue

    def _dynamodb(self, operation: str, given: Parameters) -> Iterator[Ask]:
        if operation in {"GetItem", "PutItem", "UpdateItem", "DeleteItem"}:
            table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{given['TableName']}"
            yield Ask(f"dynamodb:{operation}", table)
            yield from self._of_key(table, "dynamodb", "kms:Decrypt")

    def _ses(self, operation: str, given: Parameters) -> Iterator[Ask]:
        """A raw message asks for ses:SendRawEmail. The API's own action is ses:SendEmail: AWS names both."""
        if operation == "SendEmail":
            sender = parseaddr(given["FromEmailAddress"])[1]
            identity = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{sender}"
            for action in ("ses:SendEmail", *(["ses:SendRawEmail"] if "Raw" in given["Content"] else [])):
                yield Ask(action, identity, {"ses:FromAddress": sender})

    def _secrets_manager(self, operation: str, given: Parameters) -> Iterator[Ask]:
        if operation == "GetSecretValue":
            arn = _secret_arn(given["SecretId"])
            yield Ask(f"secretsmanager:{operation}", arn)
            yield from self._of_key(arn, "secretsmanager", "kms:Decrypt")

    def _scheduler(self, operation: str, given: Parameters) -> Iterator[Ask]:
        if operation in {"GetSchedule", "CreateSchedule", "UpdateSchedule"}:
            group = given.get("GroupName", "default")
            name = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{given['Name']}"
            yield Ask(f"scheduler:{operation}", name)
            if "Target" in given:
                role = given["Target"]["RoleArn"]
                yield Ask("iam:PassRole", role, {"iam:PassedToService": "scheduler.amazonaws.com"})

    def _step_functions(self, operation: str, given: Parameters) -> Iterator[Ask]:
        if operation in {"SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat"}:
            yield Ask(f"states:{operation}", "*")  # no resource type: nothing narrower matches
        else:
            names = ("executionArn", "stateMachineArn", "stateMachineAliasArn")
            yield from (Ask(f"states:{operation}", given[name]) for name in names if name in given)

    def _logs(self, operation: str, given: Parameters) -> Iterator[Ask]:
        if operation == "FilterLogEvents":
            yield Ask(f"logs:{operation}", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{given['logGroupName']}")

    def _of_key(self, resource: str, service: str, *actions: str) -> Iterator[Ask]:
        """Ask for the key of an encrypted resource, which the service uses for its caller."""
        key = self._keys.get(resource)
        via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com", "kms:CallerAccount": ACCOUNT}
        yield from (Ask(action, key, via) for action in actions if key)


def queue_arn(url: str) -> str:
    """Return a queue's ARN."""
    account, name = urlsplit(url).path.strip("/").split("/")
    return f"arn:aws:sqs:{REGION}:{account}:{name}"


# The action, and what is asked of the key of an encrypted bucket.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
_S3_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "GetObject": ("s3:GetObject", "kms:Decrypt"),
    "HeadObject": ("s3:GetObject", "kms:Decrypt"),
    "PutObject": ("s3:PutObject", "kms:GenerateDataKey"),
    "CreateMultipartUpload": ("s3:PutObject", "kms:GenerateDataKey"),
    "UploadPart": ("s3:PutObject", "kms:Decrypt"),
    "CompleteMultipartUpload": ("s3:PutObject", "kms:Decrypt"),
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "DeleteObject": ("s3:DeleteObject",),
}
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
_SQS_KEYS: Mapping[str, tuple[str, ...]] = {
    "SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
    "ReceiveMessage": ("kms:Decrypt",),
    "DeleteMessage": (),
    "ChangeMessageVisibility": (),
    "GetQueueAttributes": (),
}


def _secret_arn(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"


def _keys(names: Names) -> Iterator[tuple[str, str]]:
    """Yield the ARNs of what is encrypted under the stack's key, each with the key's.

    The secrets are not the stack's own, but may be under its key; the functions have the right to it.
    """
    for parameter in ("DatabaseUrlSecret", "DjangoSecretKeySecret"):
        yield from ((_secret_arn(names.ref(parameter)), names.arn(key)) for key in names.of_type("AWS::KMS::Key"))
    for kind, path in _KEY_OF.items():
        for resource in names.of_type(kind):
            found: Any = names.properties(resource)
            for step in path:
                found = found.get(step, {}) if isinstance(found, dict) else found[0] if step == "0" and found else {}
            if found:
                yield names.arn(resource), _key_arn(names, str(found))


_KEY_OF: Mapping[str, tuple[str, ...]] = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::S3::Bucket": (
        *("BucketEncryption", "ServerSideEncryptionConfiguration", "0"),
        *("ServerSideEncryptionByDefault", "KMSMasterKeyID"),
    ),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
}


def _key_arn(names: Names, given: str) -> str:
    by_id = {names.name(key): names.arn(key) for key in names.of_type("AWS::KMS::Key")}
    for alias in names.of_type("AWS::KMS::Alias"):
        described = names.properties(alias)
        by_id[described["AliasName"]] = by_id.get(described["TargetKeyId"], described["TargetKeyId"])
    return by_id.get(given, given)
