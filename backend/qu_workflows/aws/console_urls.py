"""URLs of resources in the AWS console, "" if Step Functions is not AWS's."""

import re
from urllib.parse import quote

from qu_workflows.aws import clients as aws

_HOSTS = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "{region}.console.amazonaws.cn",
    "aws-us-gov": "{region}.console.amazonaws-us-gov.com",
}
_ROOT = re.compile(r"Root=([0-9a-f-]+)")


def is_aws() -> bool:
    """Return whether Step Functions is AWS's, not a local engine."""
    host = aws.step_functions().meta.endpoint_url
    return bool(re.search(r"//[^/]*\.amazonaws\.com(\.cn)?(/|$)", host)) or host.endswith(".api.aws")


def execution_url(arn: str) -> str:
    """Return the page of an execution, or ""."""
    return _url(arn, f"states/home?region={{region}}#/v2/executions/details/{quote(arn, safe=':/')}")


def state_machine_url(arn: str) -> str:
    """Return the page of a state machine, or ""."""
    return _url(arn, f"states/home?region={{region}}#/statemachines/view/{quote(arn, safe=':/')}")


def map_run_url(arn: str) -> str:
    """Return the page of a Map Run, or ""."""
    return _url(arn, f"states/home?region={{region}}#/mapruns/details/{quote(arn, safe=':/')}")


def trace_url(arn: str, trace_header: str) -> str:
    """Return the page of an execution's trace, or ""."""
    found = _ROOT.search(trace_header)
    return _url(arn, f"cloudwatch/home?region={{region}}#xray:traces/{found[1]}") if found else ""


def _url(arn: str, page: str) -> str:
    parts = arn.split(":")
    if len(parts) < 6 or parts[1] not in _HOSTS or parts[3] in ("", "local") or not is_aws():
        return ""
    host = _HOSTS[parts[1]].format(region=parts[3])
    return f"https://{host}/{page.format(region=parts[3])}"
