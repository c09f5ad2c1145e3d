"""The operations of the Step Functions API, one function each, by AWS's name."""

from collections.abc import Mapping

from workflows.engine.server.operation import Operation
from workflows.engine.server.operations import (
    aliases,
    executions,
    history,
    state_machines,
    tags,
    tasks,
    test_state,
    versions,
)

OPERATIONS: Mapping[str, Operation] = {
    "CreateStateMachine": Operation(state_machines.create_state_machine),
    "UpdateStateMachine": Operation(state_machines.update_state_machine),
    "DescribeStateMachine": Operation(state_machines.describe_state_machine),
    "DescribeStateMachineForExecution": Operation(state_machines.describe_state_machine_for_execution),
    "DeleteStateMachine": Operation(state_machines.delete_state_machine),
    "ListStateMachines": Operation(state_machines.list_state_machines),
    "ValidateStateMachineDefinition": Operation(state_machines.validate_state_machine_definition),
    "PublishStateMachineVersion": Operation(versions.publish_state_machine_version),
    "ListStateMachineVersions": Operation(versions.list_state_machine_versions),
    "DeleteStateMachineVersion": Operation(versions.delete_state_machine_version),
    "CreateStateMachineAlias": Operation(aliases.create_state_machine_alias),
    "UpdateStateMachineAlias": Operation(aliases.update_state_machine_alias),
    "DescribeStateMachineAlias": Operation(aliases.describe_state_machine_alias),
    "DeleteStateMachineAlias": Operation(aliases.delete_state_machine_alias),
    "ListStateMachineAliases": Operation(aliases.list_state_machine_aliases),
    "StartExecution": Operation(executions.start_execution),
    "StartSyncExecution": Operation(waits=executions.start_sync_execution),
    "StopExecution": Operation(executions.stop_execution),
    "DescribeExecution": Operation(executions.describe_execution),
    "ListExecutions": Operation(executions.list_executions),
    "RedriveExecution": Operation(executions.redrive_execution),
    "GetExecutionHistory": Operation(history.get_execution_history),
    "SendTaskSuccess": Operation(tasks.send_task_success),
    "SendTaskFailure": Operation(tasks.send_task_failure),
    "SendTaskHeartbeat": Operation(tasks.send_task_heartbeat),
    "CreateActivity": Operation(tasks.create_activity),
    "DescribeActivity": Operation(tasks.describe_activity),
    "DeleteActivity": Operation(tasks.delete_activity),
    "ListActivities": Operation(tasks.list_activities),
    "GetActivityTask": Operation(waits=tasks.get_activity_task),
    "TagResource": Operation(tags.tag_resource),
    "UntagResource": Operation(tags.untag_resource),
    "ListTagsForResource": Operation(tags.list_tags_for_resource),
    "TestState": Operation(test_state.test_state),
}
