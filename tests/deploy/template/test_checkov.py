"""Skipped checkov checks have reasons, and the linters have versions."""

import re

import yaml

from deploy import ROOT


def test_each_check_that_is_left_out_has_its_reason_above_it() -> None:
    text = (ROOT / "deploy" / "checkov.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    skipped = yaml.safe_load(text)["skip-check"]

    places = [next(number for number, line in enumerate(lines) if line.strip() == f"- {check}") for check in skipped]

    assert skipped
    assert all(lines[place - 1].lstrip().startswith("# ") for place in places)


def test_the_tools_that_are_fetched_to_judge_the_template_are_pinned() -> None:
    fetched = re.findall(r"--from (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"))

    assert {one.split("==")[0] for one in fetched} >= {"aws-sam-cli", "checkov"}
    assert all(re.fullmatch(r"[a-z-]+==\d+(\.\d+)+", one) for one in fetched)
