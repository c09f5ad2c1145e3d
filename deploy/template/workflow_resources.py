"""The resources of each workflow, and the lists that name all workflows.

The steps that a state machine may invoke are those that its rendered definition names.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from deploy import ROOT, DeployError
from deploy.template.regions import Region, Yaml
from workflows.project import PROJECT

_SOURCE = "state_machines/"
MACHINES = Region("the workflows", _SOURCE)
OUTPUTS = Region("the workflows' outputs", _SOURCE)
# The map is read by the dispatcher: a workflow's name and the alias of its machine.
STARTED = Region("the workflows to start", _SOURCE, indent=10)
MAY_START = Region("the rights to start workflows", _SOURCE, indent=16)
OBSERVED = Region("the workflows whose status is recorded", _SOURCE, indent=18)

_MACHINE = Yaml("""
  @{prefix}StateMachine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub "${Prefix}-${Stage}-@workflow"
      Type: STANDARD
      DefinitionUri: ../state_machines/@workflow.asl.json
@{substitutions}      AutoPublishAlias: live
      DeploymentPreference:
        Type: !FindInMap [GradualDeploys, !Ref DeploymentPreferenceType, Type]
        Percentage: !If
          - DeploysGradually
          - !FindInMap [GradualDeploys, !Ref DeploymentPreferenceType, Percentage]
          - !Ref AWS::NoValue
        Interval: !If
          - DeploysGradually
          - !FindInMap [GradualDeploys, !Ref DeploymentPreferenceType, Minutes]
          - !Ref AWS::NoValue
        Alarms: [!Ref @{prefix}ExecutionsFailedAlarm]
      Tracing: { Enabled: true }
      Logging:
        Level: ERROR
        IncludeExecutionData: false
        Destinations:
          - CloudWatchLogsLogGroup: { LogGroupArn: !GetAtt @{prefix}ExecutionsLogGroup.Arn }
      Policies:
        - Version: "2012-10-17"
          Statement:
@invoke            # Log delivery knows no resources. https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
            - Effect: Allow
              Action:
                - logs:CreateLogDelivery
                - logs:GetLogDelivery
                - logs:UpdateLogDelivery
                - logs:DeleteLogDelivery
                - logs:ListLogDeliveries
                - logs:PutResourcePolicy
                - logs:DescribeResourcePolicies
                - logs:DescribeLogGroups
              Resource: "*"

  @{prefix}ExecutionsLogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      # Below this prefix Step Functions needs no room in the account's one log resource policy.
      LogGroupName: !Sub "/aws/vendedlogs/states/${Prefix}-${Stage}-@workflow"
      RetentionInDays: !Ref LogRetentionDays
      KmsKeyId: *KeyOrNone
""")
_INVOKE = """\
            - Effect: Allow
              Action: lambda:InvokeFunction
              Resource:
"""


class DefinitionInvalid(DeployError):
    """A rendered definition is missing, or names a function that is not a step."""

    def __init__(self, file: str, problem: str, remedy: str) -> None:
        super().__init__(file, problem, remedy)
        self.file, self.problem, self.remedy = file, problem, remedy

    def __str__(self) -> str:
        return f"{self.file}: {self.problem} {self.remedy}"


def workflow_regions(root: Path = ROOT) -> Mapping[Region, str]:
    """Return the YAML of each region that depends on the workflows. Raises DefinitionInvalid."""
    workflows = sorted(set(PROJECT.workflows))
    machines = {workflow: f"{_prefix(workflow)}StateMachine" for workflow in workflows}
    names = ",".join(f'"{workflow}":"${{{_prefix(workflow)}}}"' for workflow in workflows)
    values = [f"{_prefix(workflow)}: !Ref {machine}Aliaslive" for workflow, machine in machines.items()]
    return {
        MACHINES: "".join(_machine(root, workflow) for workflow in workflows) + "\n",
        STARTED: f"          STATE_MACHINE_ARNS: !Sub\n            - '{{{names}}}'\n            - "
        + "\n              ".join(values)
        + "\n",
        MAY_START: "".join(f"                - !Ref {machine}Aliaslive\n" for machine in machines.values()),
        OBSERVED: "".join(f"                  - !Ref {machine}\n" for machine in machines.values()),
        OUTPUTS: "".join(f"  {machine}Arn:\n    Value: !Ref {machine}\n" for machine in machines.values()),
    }


def _machine(root: Path, workflow: str) -> str:
    functions = _functions(root, workflow)
    substitutions = "".join(f"        {function}Arn: !Ref {function}.Alias\n" for function in functions)
    invoked = "".join(f"                - !Ref {function}.Alias\n" for function in functions)
    return _MACHINE.substitute(
        prefix=_prefix(workflow),
        workflow=workflow,
        substitutions=f"      DefinitionSubstitutions:\n{substitutions}" if functions else "",
        invoke=_INVOKE + invoked if functions else "",
    )


def _functions(root: Path, workflow: str) -> list[str]:
    """Return the resources of the functions that a definition names, in its order."""
    name = f"state_machines/{workflow}.asl.json"
    if not (root / name).is_file():
        raise DefinitionInvalid(name, "There is no such file.", f"Write workflows/graphs/{workflow}.py: make states.")
    states = json.dumps(json.loads((root / name).read_text(encoding="utf-8"))["States"])
    functions = list(dict.fromkeys(re.findall(r"\$\{(\w+)Arn\}", states)))
    for function in functions:
        folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function.removesuffix("Function")).lower()
        if not (root / "lambdas" / folder / "handler.py").is_file():
            problem = f"It invokes {function}, but there is no lambdas/{folder}/handler.py."
            raise DefinitionInvalid(f"workflows/graphs/{workflow}.py", problem, "Write it, or name another state.")
    return functions


def _prefix(workflow: str) -> str:
    return "".join(map(str.capitalize, workflow.split("_")))
