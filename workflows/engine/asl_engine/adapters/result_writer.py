"""A distributed Map's ResultWriter: what its children came to, in S3 or as the state's output.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from collections.abc import Iterable, Mapping, Sequence

from asl_engine.adapters.services import ServiceClients, failing_as
from asl_engine.adapters.start_execution import described
from asl_engine.errors import RESULT_WRITER_FAILED
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.language.times import print_timestamp
from asl_engine.store.records import ExecutionRecord

# Which children's executions end in which file. https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
_FILES = {"SUCCEEDED": ("SUCCEEDED",), "FAILED": ("FAILED", "TIMED_OUT", "ABORTED"), "PENDING": ("PENDING_REDRIVE",)}


def transformed(outputs: Sequence[Json], transformation: str) -> list[Json]:
    """Return successful children's outputs as COMPACT or FLATTEN puts them together."""
    if transformation != "FLATTEN":
        return list(outputs)
    return [item for output in outputs for item in (output if isinstance(output, list) else [output])]


def write_results(
    parameters: Mapping[str, Json],
    config: Mapping[str, Json],
    map_run_arn: str,
    children: Iterable[ExecutionRecord],
    clients: ServiceClients,
) -> Json:
    """Write the export of a Map Run to S3 and return the Map state's output.

    ``config`` is WriterConfig.
    Writing it again replaces it. Raises TaskError States.ResultWriterFailed.
    """
    bucket = str(parameters["Bucket"])
    folder = "/".join(part for part in (str(parameters.get("Prefix") or ""), map_run_arn.rsplit(":", 1)[-1]) if part)
    lines = config.get("OutputType") == "JSONL"
    listed: dict[str, list[Json]] = {name: [] for name in _FILES}
    grouped = _grouped(children)
    for name, group in grouped.items():
        if group:
            key = f"{folder}/{name}_0.{'jsonl' if lines else 'json'}"
            text = _text(_entries(name, group, str(config.get("Transformation") or "NONE")), lines=lines)
            listed[name].append({"Key": key, "Size": _put(clients, bucket, key, text)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": dict(sorted(listed.items()))}
    key = f"{folder}/manifest.json"
    _put(clients, bucket, key, dumps(manifest))
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}


def _grouped(children: Iterable[ExecutionRecord]) -> dict[str, list[ExecutionRecord]]:
    grouped: dict[str, list[ExecutionRecord]] = {name: [] for name in _FILES}
    by_status = {status: name for name, statuses in _FILES.items() for status in statuses}
    for child in children:
        grouped[by_status[child.status]].append(child)
    return grouped


def _entries(name: str, group: Sequence[ExecutionRecord], transformation: str) -> list[Json]:
    if transformation == "NONE" or name != "SUCCEEDED":
        return [_described(child) for child in group]
    return transformed([loads(child.output or "null") for child in group], transformation)


def _described(child: ExecutionRecord) -> dict[str, Json]:
    result = described(child)
    return result | {key: print_timestamp(result[key]) for key in ("StartDate", "StopDate") if key in result}


def _text(entries: Sequence[Json], *, lines: bool) -> str:
    return "".join(f"{dumps(entry)}\n" for entry in entries) if lines else dumps(list(entries))


def _put(clients: ServiceClients, bucket: str, key: str, text: str) -> int:
    data = text.encode()
    with failing_as(RESULT_WRITER_FAILED):
        clients.client("s3").put_object(Bucket=bucket, Key=key, Body=data, ContentType="application/json")
    return len(data)
