"""A failed execution redriven: it goes on where it failed, and the task record follows."""

from deploy.local.step_functions import ENGINE, chosen_step_functions
from tests.e2e.conftest import WholePath, eventually

# No report has this id until the test makes one.
REPORT_ID = 4_000_000_000


def test_a_failed_execution_can_be_redriven_once_its_cause_is_mended(path: WholePath) -> None:
    assert chosen_step_functions() == ENGINE, "ministack can not redrive: run this with STEP_FUNCTIONS=engine"
    code = f"import json; from common.tasks import *; print(json.dumps(process_guard_report.enqueue({REPORT_ID}).id))"
    task_id = str(path.in_django(code))
    failed = path.finished(task_id)
    assert (failed.status, path.recorded(task_id)) == ("FAILED", "FAILED")
    assert failed.failed_tries == ["ReportNotFound"]

    path.in_django(
        "from core.models import Guard; from reports.models import GuardReport;"
        f"GuardReport.objects.create(pk={REPORT_ID}, guard=Guard.objects.first()); print(1)"
    )
    path.stack.aws.step_functions.redrive_execution(executionArn=failed.arn)

    assert path.finished(task_id).status == "SUCCEEDED"
    query = "SELECT redrive_count, error FROM executions_taskrecord WHERE id = %s AND status = 'SUCCEEDED'"
    assert eventually(lambda: path.rows(query, task_id), "the redrive to be recorded") == [(1, "")]
