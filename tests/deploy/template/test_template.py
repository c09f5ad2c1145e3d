"""The template has the guide's values, least privilege and consistent names."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy import ROOT
from deploy.packages.functions import FUNCTIONS, Function
from deploy.template.cloudformation import Template
from lambdas.dispatch_tasks.starts import STARTS_AT_A_TIME
from lambdas.shared.decoding.child_process import START_SECONDS
from lambdas.shared.decoding.job import MIB, Limits
from lambdas.shared.decoding.receiving import IN_MEMORY_BYTES
from lambdas.shared.decoding.wire import MAX_FILES_BYTES
from workflows.project import PROJECT

FOURTEEN_DAYS_SECONDS = 14 * 24 * 3600
MACHINES = {"".join(map(str.capitalize, name.split("_"))) + "StateMachine": name for name in PROJECT.workflows}
ENDS_A_TASK = ["states:SendTaskSuccess", "states:SendTaskHeartbeat"]  # of no resource type: any policy says "*"


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: it["Properties"] for name, it in template["Resources"].items() if it["Type"] == kind}


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Every function's properties, with what it has of the Globals."""
    shared = template["Globals"]["Function"]
    return {name: shared | own for name, own in resources(template, "AWS::Serverless::Function").items()}


def walk(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from walk(item)


def statements_of(translated: Template, function: Function) -> list[dict[str, Any]]:
    role = translated["Resources"][f"{function.resource}Role"]["Properties"]
    return [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def actions_of(translated: Template, function: Function) -> set[str]:
    found: set[str] = set()
    for statement in statements_of(translated, function):
        action = statement["Action"]
        found |= {action} if isinstance(action, str) else set(action)
    return found


def test_the_task_queue_has_the_values_of_the_guide(template: Template) -> None:
    queue = template["Resources"]["TasksQueue"]["Properties"]

    assert template["Parameters"]["VisibilityTimeoutSeconds"]["Default"] == 300
    assert queue["VisibilityTimeout"] == {"Ref": "VisibilityTimeoutSeconds"}
    assert queue["MessageRetentionPeriod"] == FOURTEEN_DAYS_SECONDS
    assert queue["ReceiveMessageWaitTimeSeconds"] == 20
    assert queue["RedrivePolicy"]["maxReceiveCount"] == {"Ref": "MaxReceiveCount"}
    assert template["Parameters"]["MaxReceiveCount"]["Default"] == 3
    assert queue["QueueName"] == {"Fn::Sub": "${Prefix}-tasks-${Stage}"}


def test_production_is_refused_without_an_address_for_alarms(template: Template) -> None:
    rule = template["Rules"]["ProductionMailsItsAlarms"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Stage"}, "production"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]}


def test_dead_letters_are_kept_14_days_and_only_from_the_task_queue(template: Template) -> None:
    dead_letters = template["Resources"]["TasksDeadLetterQueue"]["Properties"]

    assert dead_letters["MessageRetentionPeriod"] == FOURTEEN_DAYS_SECONDS
    assert dead_letters["RedriveAllowPolicy"]["redrivePermission"] == "byQueue"
    [source] = dead_letters["RedriveAllowPolicy"]["sourceQueueArns"]
    assert source["Fn::Sub"].endswith(":${Prefix}-tasks-${Stage}")


def test_a_message_stays_invisible_for_six_tries_of_the_dispatcher(template: Template) -> None:
    timeout = functions(template)["DispatchTasksFunction"]["Timeout"]
    mapping = template["Resources"]["TasksEventSourceMapping"]["Properties"]

    needed = 6 * timeout + mapping["MaximumBatchingWindowInSeconds"]

    assert template["Parameters"]["VisibilityTimeoutSeconds"]["Default"] >= needed


def test_the_event_source_mapping_reports_failures_and_is_never_throttled(template: Template) -> None:
    mapping = template["Resources"]["TasksEventSourceMapping"]["Properties"]
    reserved = functions(template)["DispatchTasksFunction"]["ReservedConcurrentExecutions"]["Fn::If"]

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] <= STARTS_AT_A_TIME
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}
    assert reserved[1] == {"Ref": "MaximumConcurrency"}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
class TestEachFunction:
    def test_its_folder_its_resource_and_its_package_go_by_one_name(
        self, template: Template, function: Function
    ) -> None:
        properties = functions(template)[function.resource]

        assert (ROOT / "lambdas" / function.name / "handler.py").is_file()
        assert properties["FunctionName"] == {"Fn::Sub": f"${{Prefix}}-${{Stage}}-{function.name}"}
        assert properties["Handler"] == f"{function.handler_module}.lambda_handler"
        assert properties["CodeUri"] == f"../.build/linux-arm64/{function.name}.zip"

    def test_it_has_its_own_role_and_a_log_group_with_retention(self, translated: Template, function: Function) -> None:
        properties = translated["Resources"][function.resource]["Properties"]
        group = translated["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]

        assert properties["Role"] == {"Fn::GetAtt": [f"{function.resource}Role", "Arn"]}
        assert group["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{Prefix}}-${{Stage}}-{function.name}"}
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}

    def test_it_runs_traced_and_logs_json_behind_an_alias(self, translated: Template, function: Function) -> None:
        properties = translated["Resources"][function.resource]["Properties"]

        assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert properties["LoggingConfig"]["LogFormat"] == "JSON"
        assert f"{function.resource}Aliaslive" in translated["Resources"]

    def test_only_with_a_database_does_it_get_secrets_and_a_bound(
        self, translated: Template, function: Function
    ) -> None:
        properties = translated["Resources"][function.resource]["Properties"]
        variables = properties["Environment"]["Variables"]
        bound = properties.get("ReservedConcurrentExecutions", {}).get("Fn::If", [None, None])[1]

        assert ("DATABASE_URL_SECRET" in variables) == function.needs_database
        assert ("secretsmanager:GetSecretValue" in actions_of(translated, function)) == function.needs_database
        by_connections = {"Fn::FindInMap": ["DatabaseConnections", {"Ref": "DatabaseMaxConnections"}, "PerFunction"]}
        assert (bound == by_connections) == function.needs_database

    def test_only_send_email_may_use_ses_and_the_table_of_mails(self, translated: Template, function: Function) -> None:
        sends = function.name == "send_email"
        services = {action.partition(":")[0] for action in actions_of(translated, function)}

        assert ("ses" in services) == sends
        assert ("dynamodb" in services) == sends

    def test_it_reaches_named_prefixes_of_the_bucket_and_never_the_whole(
        self, translated: Template, function: Function
    ) -> None:
        for statement in statements_of(translated, function):
            actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            objects = list(statement["Resource"]) if isinstance(statement["Resource"], list) else []
            if "s3:ListBucket" in actions:
                assert all(prefix.endswith("/*") for prefix in statement["Condition"]["StringLike"]["s3:prefix"])
            elif any(action.startswith("s3:") for action in actions):
                assert all(re.fullmatch(r"\$\{Bucket\.Arn\}/[a-z]+/\*", resource["Fn::Sub"]) for resource in objects)
                assert objects


def test_no_policy_of_a_function_allows_everything(translated: Template) -> None:
    for function in FUNCTIONS:
        for statement in statements_of(translated, function):
            assert statement["Resource"] != "*" or statement["Action"] in ENDS_A_TASK
            assert not any(action.endswith(":*") for action in actions_of(translated, function))


def test_there_is_a_function_in_the_template_for_each_folder_of_lambdas(template: Template) -> None:
    folders = {path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py")}

    assert folders == {function.name for function in FUNCTIONS}
    assert set(functions(template)) == {function.resource for function in FUNCTIONS}


def test_each_workflow_has_a_machine_of_its_name(template: Template) -> None:
    machines = resources(template, "AWS::Serverless::StateMachine")

    assert set(machines) == set(MACHINES)
    for resource, workflow in MACHINES.items():
        assert machines[resource]["Name"] == {"Fn::Sub": f"${{Prefix}}-${{Stage}}-{workflow}"}
        assert machines[resource]["DefinitionUri"] == f"../state_machines/{workflow}.asl.json"


@pytest.mark.parametrize(("resource", "workflow"), MACHINES.items())
def test_a_machine_invokes_the_aliases_that_its_definition_names_and_no_others(
    template: Template, definitions: dict[str, dict[str, Any]], resource: str, workflow: str
) -> None:
    properties = resources(template, "AWS::Serverless::StateMachine")[resource]
    named = set(re.findall(r"\$\{(\w+)\}", json.dumps(definitions[workflow])))
    allowed = properties["Policies"][0]["Statement"][0]

    assert properties["DefinitionSubstitutions"] == {
        name: {"Ref": f"{name.removesuffix('Arn')}.Alias"} for name in named
    }
    assert allowed["Action"] == "lambda:InvokeFunction"
    assert allowed["Resource"] == list(properties["DefinitionSubstitutions"].values())


@pytest.mark.parametrize("resource", MACHINES)
def test_a_machine_is_traced_logged_and_started_by_its_alias(template: Template, resource: str) -> None:
    properties = resources(template, "AWS::Serverless::StateMachine")[resource]
    [destination] = properties["Logging"]["Destinations"]
    group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]

    assert properties["Tracing"] == {"Enabled": True}
    assert properties["AutoPublishAlias"] == "live"
    assert resources(template, "AWS::Logs::LogGroup")[group]["LogGroupName"]["Fn::Sub"].startswith(
        "/aws/vendedlogs/states/"
    )


def test_a_function_ends_before_its_state_gives_it_up(
    template: Template, definitions: dict[str, dict[str, Any]]
) -> None:
    timeouts = functions(template)
    steps = [
        (state["Parameters"]["FunctionName"], state["TimeoutSeconds"])
        for definition in definitions.values()
        for state in walk(definition)
        if isinstance(state, dict) and state.get("Type") == "Task" and "TimeoutSecondsPath" not in state
    ]

    assert steps
    for function_name, seconds in steps:
        assert timeouts[function_name.removeprefix("${").removesuffix("Arn}")]["Timeout"] < seconds


@pytest.mark.parametrize("function", ["InspectFileFunction", "MakeThumbnailsFunction"])
def test_a_function_that_decodes_outlives_its_decoder_in_memory_and_time(template: Template, function: str) -> None:
    properties = functions(template)[function]
    variables = properties["Environment"]["Variables"]
    seconds, mib = int(variables["DECODER_TIMEOUT_SECONDS"]), int(variables["DECODER_MEMORY_MIB"])

    # Twice each: a file at which a used process fails is tried once more in a new one.
    assert properties["Timeout"] > 2 * (START_SECONDS + seconds)
    # Beside the decoder: the function itself, a file in memory, and the pictures that came back.
    assert properties["MemorySize"] >= mib + 256 + (IN_MEMORY_BYTES + 2 * MAX_FILES_BYTES) / MIB
    assert "EphemeralStorage" not in properties
    assert Limits.max_bytes < 512e6 / 2  # what /tmp has without it


def test_the_dispatcher_starts_the_alias_of_every_workflow(template: Template) -> None:
    text, machines = functions(template)["DispatchTasksFunction"]["Environment"]["Variables"]["STATE_MACHINE_ARNS"][
        "Fn::Sub"
    ]

    named = json.loads(re.sub(r"\$\{(\w+)\}", r"\1", text))

    assert set(named) == set(PROJECT.workflows)
    for workflow, name in named.items():
        assert machines[name] == {"Ref": next(r for r, w in MACHINES.items() if w == workflow) + "Aliaslive"}


def test_every_change_of_an_execution_s_status_is_recorded_or_kept(template: Template) -> None:
    properties = functions(template)["RecordExecutionStatusFunction"]
    rule = properties["Events"]["StatusChange"]["Properties"]

    assert rule["Pattern"]["detail-type"] == ["Step Functions Execution Status Change"]
    assert {ref["Ref"] for ref in rule["Pattern"]["detail"]["stateMachineArn"]} == set(MACHINES)
    assert rule["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["StatusEventsDeadLetterQueue", "Arn"]}
    assert properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Type"] == "SQS"


def test_the_scheduler_may_send_to_the_queue_and_its_dead_letters(template: Template) -> None:
    (policy,) = resources(template, "AWS::IAM::Role")["SchedulerRole"]["Policies"]
    statement, by_key = policy["PolicyDocument"]["Statement"]

    assert statement["Action"] == "sqs:SendMessage"
    assert by_key["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    # What qu_workflows.tasks.sqs_sending names as the schedule's target and as its DeadLetterConfig.
    assert statement["Resource"] == [{"Fn::GetAtt": [queue, "Arn"]} for queue in ("TasksQueue", "TasksDeadLetterQueue")]


def test_django_reads_no_payload_and_no_mail_and_never_the_queue(template: Template) -> None:
    statements = resources(template, "AWS::IAM::ManagedPolicy")["BackendPolicy"]["PolicyDocument"]["Statement"]
    allowed: dict[str, list[str]] = {}
    for statement in statements:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        for action in actions:
            allowed.setdefault(action, []).append(json.dumps(statement["Resource"]))

    reads, writes = "".join(allowed["s3:GetObject"]), "".join(allowed["s3:PutObject"])
    assert ("payloads" in reads, "emails" in reads) == (False, False)
    assert ("payloads" in writes, "media" in writes, "thumbnails" in writes) == (True, True, False)
    assert [action for action in allowed if action.startswith("sqs:")] == ["sqs:SendMessage"]
    assert [statement["Action"] for statement in statements if statement["Resource"] == "*"] == [ENDS_A_TASK]


def test_only_functions_with_task_tokens_may_send_them(template: Template, translated: Template) -> None:
    backend = resources(template, "AWS::IAM::ManagedPolicy")["BackendPolicy"]["PolicyDocument"]["Statement"]
    [by_django] = [it for it in backend if "states:SendTaskSuccess" in it["Action"]]
    by_functions = {
        function.name: [it["Resource"] for it in statements_of(translated, function) if it["Action"] in ENDS_A_TASK]
        for function in FUNCTIONS
    }

    # No machine is named: a statement with one need not match.
    assert (by_django["Action"], by_django["Resource"]) == (ENDS_A_TASK, "*")
    assert {name: found for name, found in by_functions.items() if found} == {"await_acknowledgement": ["*"]}


def test_the_time_for_an_incident_is_longer_than_its_heartbeat(template: Template) -> None:
    answer, heartbeat = (template["Parameters"][f"Incident{name}Seconds"] for name in ("Answer", "Heartbeat"))
    variables = functions(template)["ChoosePersonFunction"]["Environment"]["Variables"]

    assert heartbeat["Default"] < answer["Default"]
    assert variables["INCIDENT_ANSWER_SECONDS"] == {"Ref": "IncidentAnswerSeconds"}
    assert variables["INCIDENT_HEARTBEAT_SECONDS"] == {"Ref": "IncidentHeartbeatSeconds"}


@pytest.mark.parametrize("function", ["RenderEmailFunction", "ListDigestsFunction", "RecordReportFunction"])
def test_what_evidence_is_compared_by_is_a_parameter(template: Template, function: str) -> None:
    variables = functions(template)[function]["Environment"]["Variables"]

    assert variables["EVIDENCE_MAX_METERS"] == {"Ref": "EvidenceMaxMeters"}
    assert variables["EVIDENCE_MAX_AGE_SECONDS"] == {"Ref": "EvidenceMaxAgeSeconds"}


def test_the_bucket_is_private_encrypted_and_forgets_payloads_and_mails(template: Template) -> None:
    bucket = template["Resources"]["Bucket"]["Properties"]
    expiring = {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]}

    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    # A redrive, possible for 14 days, needs what the first try was given.
    assert all(expiring[prefix] > 14 for prefix in ("payloads/", "emails/"))
    assert "media/" not in expiring
    assert "thumbnails/" not in expiring


def test_the_table_of_sent_mails_forgets_by_the_attribute_that_is_written(template: Template) -> None:
    table = template["Resources"]["SentEmailsTable"]["Properties"]

    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["KeySchema"] == [{"AttributeName": "send_once_key", "KeyType": "HASH"}]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
