"""Django by Zappa: what its settings say, and (slow) a package that answers a request."""

import importlib.util
import json
import os
import re
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy import ROOT
from deploy.stages import SAMCONFIG, STAGES, read_stage, zappa
from deploy.stages.zappa import SETTINGS_FILE, ZappaNotReady, complete, fill, read_stack
from deploy.template.cloudformation import read_template
from tests.test_documentation import settings_read_in

SETTINGS: dict[str, dict[str, Any]] = json.loads(SETTINGS_FILE.read_text(encoding="utf-8"))
# Keys, tokens, addresses with a password, account ids, long random texts.
SECRET_LOOKING = re.compile(r"AKIA|BEGIN |://[^/{]*:[^/]*@|\b\d{12}\b|[A-Za-z0-9+/]{32,}")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def placeholders() -> set[str]:
    return {text.strip("{}") for text in texts(SETTINGS) if text.startswith("{")}


def values() -> dict[str, str]:
    return dict.fromkeys(placeholders(), "x") | {
        "PublicUrl": "https://dev.api.example.com",
        "VpcSubnetIds": "subnet-1,subnet-2",
        "VpcSecurityGroupIds": "sg-1",
    }


def test_django_has_a_limit_of_instances_and_time_for_migrations() -> None:
    assert 0 < SETTINGS["base"]["lambda_concurrency"] <= 100
    assert SETTINGS["base"]["timeout_seconds"] == 900


def test_the_stages_are_those_of_sam() -> None:
    extending = {name for name, stage in SETTINGS.items() if stage.get("extends") == "base"}

    assert extending == SETTINGS.keys() - {"base"} == set(STAGES)
    assert set(STAGES) == tomllib.loads(SAMCONFIG.read_text(encoding="utf-8")).keys() - {"version"}


def test_no_value_looks_like_a_secret() -> None:
    assert [text for text in texts(SETTINGS) if SECRET_LOOKING.search(text)] == []
    secret = {name for name in SETTINGS["base"]["aws_environment_variables"] if name.endswith(("_SECRET", "_URL"))}
    assert secret.isdisjoint({"DATABASE_URL", "DJANGO_SECRET_KEY"})
    assert SECRET_LOOKING.search("postgresql://user:password@host/name")  # the rule can find one


def test_the_settings_module_exists_and_each_variable_is_one_that_is_read() -> None:
    base = SETTINGS["base"]
    read = {name for path in (ROOT / "backend").rglob("*.py") for name in settings_read_in(path.read_text())}

    assert importlib.util.find_spec(base["django_settings"])
    assert base["aws_environment_variables"].keys() - read == {
        "PYTHONPATH",
        "DATABASE_URL_SECRET",
        "DJANGO_SECRET_KEY_SECRET",
        *({"DJANGO_SETTINGS_MODULE"} - read),
    }


def test_names_in_braces_are_parameters_or_outputs_of_the_stack() -> None:
    template = read_template()

    assert placeholders() - {"PublicHost"} <= template["Parameters"].keys() | template["Outputs"].keys()


def test_zappa_has_the_functions_runtime_and_our_role() -> None:
    base, functions = SETTINGS["base"], read_template()["Globals"]["Function"]
    role = read_template(ROOT / "deploy" / "zappa_role.yaml")["Resources"]["Role"]["Properties"]

    assert (base["runtime"], [base["architecture"]]) == (functions["Runtime"], functions["Architectures"])
    assert base["manage_roles"] is False
    assert role["RoleName"] == {"Fn::Sub": "${Prefix}-${Stage}-django"}
    assert {SETTINGS[stage]["role_name"] for stage in STAGES} == {f"qu-security-{stage}-django" for stage in STAGES}


def test_the_stack_fills_in_what_belongs_to_one_account() -> None:
    filled = complete(SETTINGS, values())["base"]

    assert filled["vpc_config"]["SubnetIds"] == ["subnet-1", "subnet-2"]
    assert filled["aws_environment_variables"]["DJANGO_ALLOWED_HOSTS"] == "dev.api.example.com"
    assert not any("{" in text for text in texts(filled))


def test_outside_a_vpc_zappa_gets_no_vpc_configuration() -> None:
    assert "vpc_config" not in complete(SETTINGS, values() | {"VpcSubnetIds": ""})["base"]


def test_a_value_that_the_stack_does_not_have_is_named() -> None:
    with pytest.raises(ZappaNotReady, match="no parameter or output VpcSubnetIds"):
        fill(SETTINGS, {})


def test_parameters_and_outputs_are_read_from_the_deployed_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    stage = read_stage("dev")
    template = {
        "Parameters": {"Stage": {"Type": "String"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"BucketName": {"Value": "files"}},
    }
    with mock_aws():
        boto3.client("cloudformation", stage.region).create_stack(
            StackName=stage.stack_name,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": "Stage", "ParameterValue": "dev"}],
        )
        assert read_stack(stage.stack_name, stage.region) == {"Stage": "dev", "BucketName": "files"}
        with pytest.raises(ZappaNotReady, match="no-such-stack in us-east-2 cannot be read"):
            read_stack("no-such-stack", stage.region)


HANDLE = """
import json, sys
import handler
class Context:
    function_name = invoked_function_arn = log_group_name = log_stream_name = aws_request_id = "here"
    function_version = "$LATEST"; memory_limit_in_mb = 1024
    def get_remaining_time_in_millis(self): return 30_000
def get(path):
    return handler.lambda_handler({
        "resource": "/{proxy+}", "path": path, "httpMethod": "GET", "headers": {"Host": "127.0.0.1"},
        "multiValueHeaders": {"Host": ["127.0.0.1"]}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "pathParameters": {"proxy": path[1:]}, "stageVariables": None,
        "requestContext": {"stage": "dev", "identity": {"sourceIp": "127.0.0.1"}}, "body": None,
        "isBase64Encoded": False}, Context())
live, health, style = get("/livez/"), get("/healthz/"), get("/static/admin/css/base.css")
handler.lambda_handler({"manage": "migrate --verbosity=0"}, Context())
handler.lambda_handler({"manage": "smoke"}, Context())
print("ANSWERS", live["statusCode"], health["statusCode"], style["statusCode"])
"""


@pytest.mark.slow
def test_zappa_packages_django_and_the_package_answers_and_passes_the_smoke_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zappa, "BUILD_DIR", tmp_path / "zappa")
    command = ["--stage", "dev", "--without-stack", "--platform", "native", "package"]

    assert zappa.main(command) == 0

    [package] = (tmp_path / "zappa" / "dev").glob("*.zip")
    unpacked = tmp_path / "task"
    with zipfile.ZipFile(package) as archive:
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        assert sum(one.file_size for one in archive.infolist()) < 250 * 1024 * 1024
        archive.extractall(unpacked)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{unpacked}:{unpacked / 'backend'}",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "DJANGO_SERVE_STATIC": "True",
        "DJANGO_STATIC_ROOT": str(unpacked / "static"),
        "AWS_LAMBDA_FUNCTION_NAME": "qu-security-dev",
        "AWS_DEFAULT_REGION": "us-east-2",
    }
    python = tmp_path / "bare"
    subprocess.run([ROOT / ".venv/bin/uv", "venv", "-q", "--python", zappa.PYTHON, python], check=True)
    done = subprocess.run(
        [python / "bin" / "python", "-c", HANDLE],
        cwd=unpacked,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ANSWERS 200 200 200" in done.stdout, done.stderr[-2000:]
    assert "its record has the expected result" in done.stdout
