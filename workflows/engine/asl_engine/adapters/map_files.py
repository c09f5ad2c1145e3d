"""A distributed Map's files in S3: ItemReader and ResultWriter.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from asl_engine.adapters.performer import TaskError
from asl_engine.adapters.services import ServiceClients, failing_as
from asl_engine.adapters.start_execution import described
from asl_engine.definition.resources import parse_resource
from asl_engine.errors import ITEM_READER_FAILED, RESULT_WRITER_FAILED
from asl_engine.jsontext import Json, dumps, loads
from asl_engine.language.times import print_timestamp
from asl_engine.store.records import ExecutionRecord

MAX_ITEMS = 100_000_000  # AWS's own limit
# The statuses of the children in each file of results.
_FILES = {"SUCCEEDED": ("SUCCEEDED",), "FAILED": ("FAILED", "TIMED_OUT", "ABORTED"), "PENDING": ("PENDING_REDRIVE",)}
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


def read_items(resource: str, parameters: Json, config: Json, clients: ServiceClients) -> list[Json]:
    """Return the items of an ItemReader with evaluated parameters and ReaderConfig.

    Raises TaskError States.ItemReaderFailed.
    """
    config = config or {}
    limit = _limit_of(config)
    reader = _Reader(parameters or {}, config, clients)
    action = parse_resource(resource).action
    if action == "listObjectsV2":
        items = reader.objects()
    elif action == "getObject":
        items = reader.content()
    else:
        raise _failed(f"The resource '{resource}' is not supported by this engine.")
    return list(islice(items, limit))


def _failed(cause: str) -> TaskError:
    return TaskError(ITEM_READER_FAILED, cause)


def _limit_of(config: Mapping[str, Json]) -> int:
    """Return the limit set by MaxItems, which 0 is not."""
    given = config.get("MaxItems")
    try:
        limit = int(given or 0)
    except (TypeError, ValueError):
        raise _failed("field MaxItems must be a number") from None
    if limit < 0:
        raise _failed("field MaxItems must be positive")
    return min(limit or MAX_ITEMS, MAX_ITEMS)


class _Reader:
    def __init__(self, parameters: Mapping[str, Json], config: Mapping[str, Json], clients: ServiceClients) -> None:
        self._parameters, self._config, self._s3 = parameters, config, clients.client("s3")

    def objects(self) -> Iterator[Json]:
        """Yield the objects of ListObjectsV2, with the fields that AWS gives to a child."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(**_given(self._parameters))
        with failing_as(ITEM_READER_FAILED):
            for page in pages:
                yield from map(_listed, page.get("Contents", []))

    def content(self) -> Iterator[Json]:
        """Return the items in an object."""
        kind = str(self._config.get("InputType") or "JSON")
        data = self._read(self._parameters)
        if kind == "MANIFEST":
            return self._inventory(data)
        if kind == "CSV":
            return _csv_items(_text_lines(data), self._config)
        if kind == "JSONL":
            return (_parsed(line) for line in _text_lines(data) if line.strip())
        if kind == "JSON":
            return iter(_json_items(data, self._config.get("ItemsPointer")))
        raise _failed(f"The InputType '{kind}' is not supported by this engine.")

    def _inventory(self, data: bytes) -> Iterator[Json]:
        """Yield the rows of an S3 inventory, named by its schema."""
        manifest = _parsed(data)
        if manifest.get("fileFormat") != "CSV":
            raise _failed(f"An inventory of format '{manifest.get('fileFormat')}' is not supported by this engine.")
        config = {
            "CSVHeaderLocation": "GIVEN",
            "CSVHeaders": [name.strip() for name in str(manifest.get("fileSchema", "")).split(",")],
        }
        bucket = str(manifest.get("destinationBucket", "")).rsplit(":", 1)[-1] or self._parameters["Bucket"]
        for file in manifest.get("files", []):
            content = self._read({"Bucket": bucket, "Key": file["key"]})
            yield from _csv_items(_text_lines(gzip.decompress(content)), config)

    def _read(self, parameters: Mapping[str, Json]) -> bytes:
        with failing_as(ITEM_READER_FAILED):
            body: bytes = self._s3.get_object(**_given(parameters))["Body"].read()
        return body


def _given(parameters: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in parameters.items() if value is not None}


def _listed(entry: Mapping[str, Any]) -> Json:
    item = {"Etag": entry["ETag"], "Key": entry["Key"], "LastModified": int(entry["LastModified"].timestamp())}
    return item | {key: entry[key] for key in ("Size", "StorageClass") if key in entry}


def _text_lines(data: bytes) -> Iterable[str]:
    try:
        return data.decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise _failed("The object is not encoded as UTF-8.") from None


def _parsed(text: str | bytes) -> Json:
    try:
        return loads(text)
    except ValueError:
        raise _failed("The object holds text that is not valid JSON.") from None


def _json_items(data: bytes, pointer: Json) -> Iterable[Json]:
    value = _parsed(data.removeprefix(b"\xef\xbb\xbf"))
    for step in str(pointer or "").split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or key not in value:
            raise _failed(f"The ItemsPointer '{pointer}' does not exist in the object.")
        value = value[key]
    if not isinstance(value, list):
        raise _failed("Attempting to map over non-iterable node.")
    return value


def _csv_items(lines: Iterable[str], config: Mapping[str, Json]) -> Iterator[Json]:
    """Yield rows as objects; missing fields are empty texts, surplus ones are dropped."""
    delimiter = _DELIMITERS.get(str(config.get("CSVDelimiter") or "COMMA"), ",")
    rows = (row for row in csv.reader(lines, delimiter=delimiter) if row)
    given = config.get("CSVHeaderLocation") == "GIVEN"
    headers = [str(name) for name in config.get("CSVHeaders") or []] if given else next(rows, [])
    if len(set(headers)) < len(headers):
        raise _failed("CSV headers cannot contain duplicates.")
    for row in rows:
        yield dict(zip(headers, [*row, *[""] * (len(headers) - len(row))], strict=False))


# --- ResultWriter ---


def transformed(outputs: Sequence[Json], transformation: str) -> list[Json]:
    """Return the outputs of successful children by COMPACT or FLATTEN."""
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
    """Write a Map Run's results to S3 and return the state's output; ``config`` is WriterConfig.

    Safe to repeat: the same objects are replaced. Raises TaskError States.ResultWriterFailed.
    """
    bucket = str(parameters["Bucket"])
    folder = "/".join(part for part in (str(parameters.get("Prefix") or ""), map_run_arn.rsplit(":", 1)[-1]) if part)
    lines = config.get("OutputType") == "JSONL"
    listed: dict[str, list[Json]] = {name: [] for name in _FILES}
    records = list(children)
    for name, statuses in _FILES.items():
        group = [child for child in records if child.status in statuses]
        if group:
            key = f"{folder}/{name}_0.{'jsonl' if lines else 'json'}"
            text = _text(_entries(name, group, str(config.get("Transformation") or "NONE")), lines=lines)
            listed[name].append({"Key": key, "Size": _put(clients, bucket, key, text)})
    manifest = {"DestinationBucket": bucket, "MapRunArn": map_run_arn, "ResultFiles": dict(sorted(listed.items()))}
    key = f"{folder}/manifest.json"
    _put(clients, bucket, key, dumps(manifest))
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": {"Bucket": bucket, "Key": key}}


def _entries(name: str, group: Sequence[ExecutionRecord], transformation: str) -> list[Json]:
    if transformation == "NONE" or name != "SUCCEEDED":
        return [_with_times(described(child)) for child in group]
    return transformed([loads(child.output or "null") for child in group], transformation)


def _with_times(result: dict[str, Json]) -> dict[str, Json]:
    return result | {key: print_timestamp(result[key]) for key in ("StartDate", "StopDate") if key in result}


def _text(entries: Sequence[Json], *, lines: bool) -> str:
    return "".join(f"{dumps(entry)}\n" for entry in entries) if lines else dumps(list(entries))


def _put(clients: ServiceClients, bucket: str, key: str, text: str) -> int:
    data = text.encode()
    with failing_as(RESULT_WRITER_FAILED):
        clients.client("s3").put_object(Bucket=bucket, Key=key, Body=data, ContentType="application/json")
    return len(data)
