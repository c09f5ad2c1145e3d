"""The function of each operation of the Step Functions API."""

from collections.abc import Mapping

from asl_engine.server.operations import executions, state_machines, tags, tasks, test_state, versions
from asl_engine.server.protocol import Operation

OPERATIONS: Mapping[str, Operation] = {
    "CreateStateMachine": Operation(state_machines.create_state_machine),
    "UpdateStateMachine": Operation(state_machines.update_state_machine),
    "DescribeStateMachine": Operation(state_machines.describe_state_machine, quick=True),
    "DescribeStateMachineForExecution": Operation(state_machines.describe_state_machine_for_execution, quick=True),
    "DeleteStateMachine": Operation(state_machines.delete_state_machine),
    "ListStateMachines": Operation(state_machines.list_state_machines, quick=True),
    "ValidateStateMachineDefinition": Operation(state_machines.validate_state_machine_definition),
    "PublishStateMachineVersion": Operation(versions.publish_state_machine_version),
    "ListStateMachineVersions": Operation(versions.list_state_machine_versions, quick=True),
    "DeleteStateMachineVersion": Operation(versions.delete_state_machine_version),
    "CreateStateMachineAlias": Operation(versions.create_state_machine_alias),
    "UpdateStateMachineAlias": Operation(versions.update_state_machine_alias),
    "DescribeStateMachineAlias": Operation(versions.describe_state_machine_alias, quick=True),
    "DeleteStateMachineAlias": Operation(versions.delete_state_machine_alias),
    "ListStateMachineAliases": Operation(versions.list_state_machine_aliases, quick=True),
    "StartExecution": Operation(executions.start_execution_soon),
    "StartSyncExecution": Operation(executions.start_sync_execution),
    "StopExecution": Operation(executions.stop_execution),
    "DescribeExecution": Operation(executions.describe_execution, quick=True),
    "ListExecutions": Operation(executions.list_executions, quick=True),
    "RedriveExecution": Operation(executions.redrive_execution),
    "GetExecutionHistory": Operation(executions.get_execution_history),
    "DescribeMapRun": Operation(executions.describe_map_run, quick=True),
    "ListMapRuns": Operation(executions.list_map_runs, quick=True),
    "UpdateMapRun": Operation(executions.update_map_run),
    "SendTaskSuccess": Operation(tasks.send_task_success),
    "SendTaskFailure": Operation(tasks.send_task_failure),
    "SendTaskHeartbeat": Operation(tasks.send_task_heartbeat),
    "CreateActivity": Operation(tasks.create_activity),
    "DescribeActivity": Operation(tasks.describe_activity, quick=True),
    "DeleteActivity": Operation(tasks.delete_activity),
    "ListActivities": Operation(tasks.list_activities, quick=True),
    "GetActivityTask": Operation(tasks.get_activity_task),
    "TagResource": Operation(tags.tag_resource),
    "UntagResource": Operation(tags.untag_resource),
    "ListTagsForResource": Operation(tags.list_tags_for_resource, quick=True),
    "TestState": Operation(test_state.test_state),
}
