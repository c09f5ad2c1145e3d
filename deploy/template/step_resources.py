"""The resources of each step: its function, its role's policies and its log group.

What the functions with a database share is written by hand in RecordExecutionStatusFunction, under YAML anchors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from deploy.packages.functions import Function
from deploy.packages.needs import NeedsInvalid, summary_of
from deploy.template.regions import Region, Yaml
from lambdas.shared.runtime.needs import StepNeeds

STEPS = Region("the steps", "NEEDS of lambdas/*/handler.py")
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_MAX_DESCRIPTION = 256


_FUNCTION = Yaml("""
  @{resource}:
    Type: AWS::Serverless::Function
    UpdateReplacePolicy: Retain
    Properties:
      Description: '@description'
      FunctionName: !Sub "${Prefix}-${Stage}-@name"
      CodeUri: ../.build/linux-arm64/@name.zip
      Handler: @handler.lambda_handler
      DeploymentPreference: { Alarms: [!Ref @{prefix}ErrorsAlarm, !Ref @{prefix}DurationAlarm] }
      AutoPublishAliasAllProperties: true
      Timeout: @timeout
      MemorySize: @memory
      LoggingConfig: { LogGroup: !Ref @{prefix}LogGroup }
@{settings}      Policies:
@policies
  @{prefix}LogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !Sub "/aws/lambda/${Prefix}-${Stage}-@name"
      RetentionInDays: !Ref LogRetentionDays
      KmsKeyId: *KeyOrNone
""")
_DATABASE = """\
      VersionDescription: *DatabaseSettings
      ReservedConcurrentExecutions: *DatabaseConcurrency
      VpcConfig: *DatabaseNetwork
      Environment: *DatabaseEnvironment
"""
_PLAIN = """\
      VersionDescription: !Sub "${Revision} ${LogLevel}"
"""
_POLICY = """\
        - Version: "2012-10-17"
          Statement:
"""
_STATEMENT = Yaml("""\
            - Effect: Allow
              Action: @action
              Resource: @resource
""")
_CONDITION = "              Condition: {{ {} }}\n"
_DECRYPT, _ENCRYPT = ("kms:Decrypt",), ("kms:Decrypt", "kms:GenerateDataKey")
_ARN = "arn:${{AWS::Partition}}:{}:${{AWS::Region}}:${{AWS::AccountId}}:{}"


def step_resources(functions: Iterable[Function]) -> str:
    """Return the YAML of every step's resources. Raises NeedsInvalid."""
    return "".join(_step(function, needs) for function in functions if (needs := function.needs)) + "\n"


def _step(function: Function, needs: StepNeeds) -> str:
    description = summary_of(function.handler)
    if not 0 < len(description) <= _MAX_DESCRIPTION:
        problem = f"The first line of the docstring has {len(description)} characters."
        remedy = f"It is the function's description: write 1 to {_MAX_DESCRIPTION}."
        raise NeedsInvalid(function.handler, 1, problem, remedy)
    policies = "        - *ReadSecrets\n" if needs.database else ""
    statements = step_statements(needs)
    return _FUNCTION.substitute(
        resource=function.resource,
        prefix=function.resource.removesuffix("Function"),
        description=description.replace("'", "''"),
        name=function.name,
        handler=function.handler_module,
        timeout=needs.timeout_seconds,
        memory=needs.memory_mb,
        settings=_DATABASE if needs.database else _PLAIN + _environment(needs),
        policies=policies + (_POLICY + statements if statements else ""),
    )


def _environment(needs: StepNeeds) -> str:
    variables = {
        **({"AWS_STORAGE_BUCKET_NAME": "!Ref Bucket"} if needs.folders else {}),
        **({"SENT_EMAILS_TABLE": "!Ref SentEmailsTable"} if needs.mail else {}),
        **{name: f'"{value}"' for name, value in needs.environment.items()},
    }
    lines = "".join(f"          {name}: {value}\n" for name, value in variables.items())
    return f"      Environment:\n        Variables:\n{lines}" if variables else ""


def step_statements(needs: StepNeeds) -> str:
    """Return the YAML of the statements of a step's role."""
    return "".join(_statements(needs))


def _statements(needs: StepNeeds) -> Iterator[str]:
    yield from _of_bucket(needs)
    yield from _of_keys(needs)
    if needs.mail:
        actions = [f"dynamodb:{action}Item" for action in ("Get", "Put", "Update", "Delete")]
        yield _statement(actions, "!GetAtt SentEmailsTable.Arn")
        # Any identity: the sender's address or its domain is the verified one, and in the sandbox SES requires the
        # recipient's, too.
        yield _statement(
            ["ses:SendEmail", "ses:SendRawEmail"],
            _sub(_ARN.format("ses", "identity/*")) + "  # the condition restricts it to one sender",
            "StringEquals: { ses:FromAddress: !Ref DefaultFromEmail }",
        )
    if needs.task_token:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_stepfunctions.html
        yield _statement(["states:SendTaskSuccess"], '"*"  # has no resource type; the token is secret')
    if needs.enqueues:
        yield from _of_enqueueing()
    if needs.watches:
        queues = "[!GetAtt TasksQueue.Arn, !GetAtt TasksDeadLetterQueue.Arn]"
        yield _statement(["sqs:GetQueueAttributes"], queues)
        executions = _ARN.format("states", "execution:${Prefix}-${Stage}-*:*")
        yield _statement(["states:GetExecutionHistory"], _sub(executions))


def _of_bucket(needs: StepNeeds) -> Iterator[str]:
    of_folders: Mapping[str, Sequence[str]] = {
        "s3:GetObject": needs.reads,
        "s3:PutObject": needs.writes,
        "s3:DeleteObject": needs.deletes,
    }
    for action, folders in of_folders.items():
        if folders:
            resources = ", ".join(_sub(f"${{Bucket.Arn}}/{folder}/*") for folder in folders)
            yield _statement([action], f"[{resources}]")
    if needs.reads:
        # Without it S3 answers 403, not 404, for a missing object.
        prefixes = ", ".join(f"{folder}/*" for folder in needs.reads)
        yield _statement(["s3:ListBucket"], "!GetAtt Bucket.Arn", f"StringLike: {{ s3:prefix: [{prefixes}] }}")


def _of_keys(needs: StepNeeds) -> Iterator[str]:
    """Yield the rights to the key, each only through the service that uses it."""
    encrypts = [
        *(["s3"] if needs.writes else []),
        *(["sqs"] if needs.enqueues else []),
    ]
    decrypts = [
        *([] if needs.database else ["lambda"]),  # its environment; ReadSecrets has it
        *(["s3"] if needs.reads and not needs.writes else []),
        *(["dynamodb"] if needs.mail else []),
    ]
    for actions, services in ((_DECRYPT, decrypts), (_ENCRYPT, encrypts)):
        if services:
            via = ", ".join(_sub(f"{service}.${{AWS::Region}}.amazonaws.com") for service in services)
            yield _statement(actions, "*UsableKey", f"StringEquals: {{ kms:ViaService: [{via}] }}")


def _of_enqueueing() -> Iterator[str]:
    yield _statement(["sqs:SendMessage"], "!GetAtt TasksQueue.Arn")
    yield _statement(["scheduler:CreateSchedule"], _sub(_ARN.format("scheduler", "schedule/${TaskSchedules}/*")))
    passed = "StringEquals: { iam:PassedToService: scheduler.amazonaws.com }"
    yield _statement(["iam:PassRole"], "!GetAtt SchedulerRole.Arn", passed)


def _statement(actions: Sequence[str], resource: str, condition: str = "") -> str:
    action = actions[0] if len(actions) == 1 else f"[{', '.join(actions)}]"
    return _STATEMENT.substitute(action=action, resource=resource) + (_CONDITION.format(condition) if condition else "")


def _sub(text: str) -> str:
    return f'!Sub "{text}"'
