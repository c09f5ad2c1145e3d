"""``.github/workflows/deploy.yml``: job order, no stored keys, existing targets."""

import re
from typing import Any

import pytest
import yaml

from deploy import ROOT
from deploy.stages import STAGES

TEXT = (ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
ORDER = ["check", "test", "build", "deploy-dev", "smoke-dev", "deploy-production", "smoke-production"]


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def uses(job: str, action: str) -> dict[str, Any]:
    [found] = [step for step in JOBS[job]["steps"] if step.get("uses", "").startswith(f"{action}@")]
    return dict(found["with"])


def test_each_job_waits_for_the_one_before_it() -> None:
    assert list(JOBS) == ORDER
    assert [JOBS[job].get("needs") for job in ORDER] == [None, *ORDER[:-1]]


def test_every_command_is_a_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    called = [command.split() for job in ORDER for command in commands(job)]

    assert {words[0] for words in called} == {"make"}
    assert {words[1] for words in called} <= targets


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    lines = [line.strip() for line in TEXT.splitlines() if "uses:" in line]

    assert lines
    assert [line for line in lines if not re.fullmatch(r"- uses: [\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)] == []


def test_there_are_no_keys_and_only_aws_jobs_get_a_token() -> None:
    assert "secrets." not in TEXT
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for name, job in JOBS.items():
        reaches = name.startswith(("deploy", "smoke"))
        assert job.get("permissions", {}).get("id-token") == ("write" if reaches else None)
        assert ("environment" in job) == reaches
        if reaches:
            assert "aws-access-key-id" not in uses(name, "aws-actions/configure-aws-credentials")


def test_what_is_deployed_was_built_once_of_the_same_commit() -> None:
    [kept] = {uses("build", "actions/upload-artifact")["name"]}
    given = {uses(f"deploy-{stage}", "actions/download-artifact")["name"] for stage in STAGES}

    assert given == {kept}
    assert "github.sha" in kept
    assert not any("build" in command for stage in STAGES for command in commands(f"deploy-{stage}"))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_migrated_before_its_functions_change(stage: str) -> None:
    words = commands(f"deploy-{stage}")
    migrate, stack = (
        next(place for place, command in enumerate(words) if what in command) for what in ("migrate", "make deploy")
    )

    assert JOBS[f"deploy-{stage}"]["environment"] == stage
    assert all(f"STAGE={stage}" in command for command in words)
    assert migrate < stack
    assert commands(f"smoke-{stage}") == [f"make smoke STAGE={stage}"]


def test_deploys_run_one_at_a_time_and_none_is_cut_off() -> None:
    assert WORKFLOW["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert all(job["timeout-minutes"] for job in JOBS.values())
