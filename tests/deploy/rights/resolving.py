"""The translated template with CloudFormation's intrinsic functions resolved."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from deploy.template.check import PARAMETERS, REGION
from deploy.template.cloudformation import Template

ACCOUNT = "123456789012"  # moto's
# A stack with all optional resources.
WHOLE_STACK = PARAMETERS | {
    "VpcSubnetIds": "subnet-1,subnet-2",
    "VpcSecurityGroupIds": "sg-1",
    "DatabaseProxyInstance": "database-1",
    "DatabaseProxySecret": "database-proxy-AbCdEf",
    "DatabaseProxySecurityGroupIds": "sg-2",
}
_ABSENT = object()  # AWS::NoValue

# A resource's ARN by its type and name.
_ARNS: Mapping[str, str] = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "AWS::Lambda::Alias": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Lambda::Version": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::Scheduler::ScheduleGroup": "arn:aws:scheduler:{region}:{account}:schedule-group/{name}",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "AWS::StepFunctions::StateMachineAlias": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "AWS::StepFunctions::StateMachineVersion": "arn:aws:states:{region}:{account}:stateMachine:{name}",
}
# Of these, what Ref gives is the ARN; of the others it is the name.
_REF_IS_ARN = frozenset(
    {
        "AWS::IAM::ManagedPolicy",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Version",
        "AWS::SNS::Topic",
        "AWS::SecretsManager::Secret",
        "AWS::StepFunctions::StateMachine",
        "AWS::StepFunctions::StateMachineAlias",
        "AWS::StepFunctions::StateMachineVersion",
    }
)
_NAMES = (
    "QueueName", "BucketName", "TableName", "RoleName", "ManagedPolicyName", "FunctionName", "LogGroupName",
    "StateMachineName", "TopicName", "AlarmName", "Name",
)  # fmt: skip


class Names:
    """Resolves the values of one translated template. ``whole`` is any part of it, resolved."""

    def __init__(self, translated: Template, parameters: Mapping[str, str] = WHOLE_STACK) -> None:
        self.resources: Mapping[str, Any] = translated["Resources"]
        self._conditions: Mapping[str, Any] = translated.get("Conditions", {})
        self._mappings: Mapping[str, Any] = translated.get("Mappings", {})
        self._parameters = {
            name: self._typed(given, parameters.get(name, given.get("Default")))
            for name, given in translated["Parameters"].items()
        }
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": _ABSENT,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": "stack",
            "AWS::URLSuffix": "amazonaws.com",
        }

    def exists(self, resource: str) -> bool:
        """Return whether the stack has the resource, by its condition."""
        condition = self.resources[resource].get("Condition")
        return condition is None or self._condition(condition)

    def properties(self, resource: str) -> dict[str, Any]:
        """Return a resource's properties."""
        resolved: dict[str, Any] = self.whole(self.resources[resource].get("Properties", {}))
        return resolved

    def of_type(self, kind: str) -> list[str]:
        """Return the logical ids of the stack's resources of a type."""
        return [name for name, it in self.resources.items() if it["Type"] == kind and self.exists(name)]

    def whole(self, value: Any) -> Any:
        """Return a value with what CloudFormation would put in place of its intrinsic functions."""
        if isinstance(value, list):
            return [item for one in value if (item := self.whole(one)) is not _ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(function, given)] = value.items()
            if function == "Ref":
                return self.ref(given)
            if function.startswith("Fn::"):
                return self._functions()[function](given)
        return {key: item for key, one in value.items() if (item := self.whole(one)) is not _ABSENT}

    def name(self, resource: str) -> str:
        """Return a resource's name, or its logical id for a generated name."""
        kind, given = self.resources[resource]["Type"], self.resources[resource].get("Properties", {})
        if kind == "AWS::Lambda::Alias":
            return f"{self.name(_referred(given['FunctionName']))}:{given['Name']}"
        if kind == "AWS::StepFunctions::StateMachineAlias":
            return f"{self.name(resource.partition('Alias')[0])}:{given['Name']}"
        if kind.endswith("Version"):
            return f"{self.name(resource.partition('Version')[0])}:1"
        return next((str(self.whole(given[key])) for key in _NAMES if key in given), f"stack-{resource}")

    def arn(self, resource: str) -> str:
        """Return a resource's ARN."""
        pattern = _ARNS[self.resources[resource]["Type"]]
        return pattern.format(region=REGION, account=ACCOUNT, name=self.name(resource))

    def ref(self, name: str) -> Any:
        """Return what ``Ref`` of a parameter or a resource gives."""
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        kind = self.resources[name]["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self.name(name)}"
        return self.arn(name) if kind in _REF_IS_ARN else self.name(name)

    @staticmethod
    def _typed(parameter: Mapping[str, Any], value: Any) -> Any:
        if "List" in parameter["Type"]:
            return str(value).split(",")
        return str(value)

    def _functions(self) -> Mapping[str, Callable[[Any], Any]]:
        return {
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": lambda given: self.whole(given[1] if self._condition(given[0]) else given[2]),
            "Fn::Join": lambda given: given[0].join(self.whole(given[1])),
            "Fn::Select": lambda given: self.whole(given[1])[int(given[0])],
            "Fn::Split": lambda given: self.whole(given[1]).split(given[0]),
            "Fn::FindInMap": lambda given: self._mappings[self.whole(given[0])][self.whole(given[1])][
                self.whole(given[2])
            ],
            "Fn::Equals": lambda given: self.whole(given[0]) == self.whole(given[1]),
            "Fn::Not": lambda given: not self._condition(given[0]),
            "Fn::And": lambda given: all(self._condition(one) for one in given),
            "Fn::Or": lambda given: any(self._condition(one) for one in given),
        }

    def _condition(self, given: Any) -> bool:
        if isinstance(given, str):
            return self._condition(self._conditions[given])
        if given.keys() == {"Condition"}:
            return self._condition(given["Condition"])
        return bool(self.whole(given))

    def _get_att(self, given: Any) -> str:
        resource, attribute = given if isinstance(given, list) else given.split(".", 1)
        if attribute in {"Arn", "TopicArn"}:
            return self.arn(resource)
        if attribute in {"QueueName", "Name"}:
            return self.name(resource)
        return f"{self.name(resource)}.{attribute}"

    def _sub(self, given: Any) -> str:
        text, own = given if isinstance(given, list) else (given, {})

        def found(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                return str(self.whole(own[name]))
            return str(self._get_att(name.split(".", 1)) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^!}]+)\}", found, text)


def _referred(value: Any) -> str:
    [(function, given)] = value.items()
    return str(given if function == "Ref" else given[0])
