"""The log of the functions, read by function and by words."""

from pathlib import Path

from deploy.local.progress import Progress
from deploy.local.stack import FUNCTIONS_LOG, LocalStack, StackOptions

LOG = """\
qu-security-dev-load_report {"message": "step done", "task_id": "t-1"}
qu-security-dev-load_report {"message": "step done", "task_id": "t-2"}
qu-security-dev-load_report no JSON, t-1 step done
qu-security-dev-record_report {"message": "step done", "task_id": "t-1"}
qu-security-dev-record_report {"message": "step failed", "task_id": "t-1"}
"""


def test_log_entries_are_found_by_function_and_words(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, StackOptions(), Progress())
    stack.logs.mkdir()
    (stack.logs / FUNCTIONS_LOG).write_text(LOG)

    assert stack.log_entries("load_report", "t-2") == [{"message": "step done", "task_id": "t-2"}]
    assert stack.log_entries("report") == []
    assert stack.steps_done("load_report", "t-1") == 1
    assert stack.steps_done("record_report", "t-1") == 1
