"""Django in a container: the Dockerfile is checked and its command is run."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import ROOT
from deploy.template.cloudformation import read_template

DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
TEMPLATE = ROOT / "deploy" / "container" / "template.yaml"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions in order, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def environment() -> dict[str, str]:
    """Return what ENV sets in the image that runs."""
    return dict(pair.split("=", 1) for pair in of("ENV")[-1].split())


def command() -> list[str]:
    [cmd] = of("CMD")
    return list(json.loads(cmd))


def test_every_source_of_a_copy_is_there_and_let_in_by_dockerignore() -> None:
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    sources = [name for copied in of("COPY") if "--from=" not in copied for name in copied.split()[:-1]]

    assert sources
    for name in sources:
        assert (ROOT / name).exists()
        assert any(name.rstrip("/") == entry or name.startswith(f"{entry}/") for entry in let_in)


def test_dockerignore_lets_in_only_what_it_names() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert next(line for line in lines if line and not line.startswith("#")) == "*"


def test_django_s_role_can_decrypt_the_environment_of_its_function() -> None:
    function = read_template(TEMPLATE)["Resources"]["DjangoFunction"]["Properties"]
    inline = [policy for policy in function["Policies"] if "Statement" in policy]

    [statement] = [one for policy in inline for one in policy["Statement"] if one["Action"] == "kms:Decrypt"]
    assert statement["Resource"] == function["KmsKeyArn"]
    services = statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert {"Fn::Sub": "lambda.${AWS::Region}.amazonaws.com"} in services


def test_images_and_tools_are_pinned() -> None:
    for image in of("FROM"):
        assert re.search(r":\d+\.\d+[\w.-]*( AS \w+)?$", image)
    assert any(re.search(r"uv==\d+\.\d+\.\d+", run) for run in of("RUN"))
    assert any("uv sync --frozen --only-group server" in run for run in of("RUN"))


def test_it_is_unprivileged_and_its_readiness_needs_no_database() -> None:
    names = [name for name, _rest in instructions()]

    assert of("USER") == ["1000"]
    assert names.index("USER") < names.index("CMD")
    assert environment()["AWS_LWA_READINESS_CHECK_PATH"] == "/livez/"
    assert any("/lambda-adapter /opt/extensions/lambda-adapter" in copied for copied in of("COPY"))


def test_the_function_uses_the_dockerfile_and_the_other_stacks_outputs() -> None:
    template, other = read_template(TEMPLATE), read_template()
    function = template["Resources"]["DjangoFunction"]
    docker = function["Metadata"]

    assert (TEMPLATE.parent / docker["DockerContext"] / docker["Dockerfile"]).resolve() == DOCKERFILE
    assert {"Ref": "BackendPolicyArn"} in function["Properties"]["Policies"]
    named = {name for name, one in template["Parameters"].items() if one == {"Type": "String"}}
    assert named == {name for name in named if name in other["Outputs"]}
    assert "BackendPolicyArn" in named


def test_it_has_every_variable_that_zappa_gives_out_of_the_stack() -> None:
    function = read_template(TEMPLATE)["Resources"]["DjangoFunction"]["Properties"]
    given = json.loads((ROOT / "deploy" / "zappa_settings.json").read_text(encoding="utf-8"))["base"]
    wanted = {name for name, value in given["aws_environment_variables"].items() if value.startswith("{")}

    assert "EVIDENCE_MAX_METERS" in wanted
    assert wanted <= function["Environment"]["Variables"].keys()


def test_numbers_of_both_templates_have_equal_defaults_and_bounds() -> None:
    ours, other = read_template(TEMPLATE)["Parameters"], read_template()["Parameters"]
    both = {name for name in ours.keys() & other.keys() if ours[name]["Type"] == "Number"}

    assert both == {"EvidenceMaxMeters", "EvidenceMaxAgeSeconds", "TraceSampledPercent", "LogRetentionDays"}
    for name in both:
        assert ours[name].items() <= other[name].items(), name


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The container's command on a free port of 127.0.0.1, without its database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    static = tmp_path / "static"
    (static / "admin").mkdir(parents=True)
    (static / "admin" / "one.css").write_text("a{}", encoding="utf-8")
    own = {
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}",
        "DJANGO_STATIC_ROOT": str(static),
        "PORT": str(port),
        "GUNICORN_HOST": "127.0.0.1",
        "DATABASE_URL": "postgresql://unknown@127.0.0.1:9/none",
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command(), cwd=ROOT, env=environment() | own, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(20) == 0


def answered(url: str, within_seconds: float = 30) -> tuple[int, str]:
    end = time.monotonic() + within_seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  127.0.0.1
                return response.status, response.read().decode()
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_its_command_serves_django_and_static_files_whatever_the_database_does(served: str) -> None:
    assert answered(f"{served}/livez/") == (200, '{"status": "ok"}')
    assert answered(f"{served}/static/admin/one.css") == (200, "a{}")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        answered(f"{served}/healthz/", within_seconds=0)
