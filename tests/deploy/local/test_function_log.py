"""What functions have logged is found by function and by words."""

from pathlib import Path

from deploy.local.function_log import entries, steps_done

LOG = """\
qu-security-dev-load_report {"message": "step done", "task_id": "t-1"}
qu-security-dev-load_report {"message": "step done", "task_id": "t-2"}
qu-security-dev-load_report no JSON, t-1 step done
qu-security-dev-record_report {"message": "step done", "task_id": "t-1"}
qu-security-dev-record_report {"message": "step failed", "task_id": "t-1"}
"""


def test_a_function_s_entries_are_found_by_their_words(tmp_path: Path) -> None:
    (tmp_path / "functions.log").write_text(LOG)

    assert entries(tmp_path, "load_report", "t-2") == [{"message": "step done", "task_id": "t-2"}]
    assert entries(tmp_path, "report") == []
    assert steps_done(tmp_path, "load_report", "t-1") == 1
    assert steps_done(tmp_path, "record_report", "t-1") == 1
