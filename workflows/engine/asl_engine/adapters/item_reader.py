"""A distributed Map's ItemReader: its items from S3.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from asl_engine.adapters.performer import TaskError
from asl_engine.adapters.services import ServiceClients, failing_as
from asl_engine.definition.resources import parse_resource
from asl_engine.errors import ITEM_READER_FAILED
from asl_engine.jsontext import Json, loads

MAX_ITEMS = 100_000_000  # AWS reads no more, whatever is asked for
_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


def read_items(resource: str, parameters: Json, config: Json, clients: ServiceClients) -> list[Json]:
    """Return the items that an ItemReader gives; ``parameters`` and ``config`` (ReaderConfig) are evaluated.

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
    """Return MaxItems as a number; none, and 0, is all of them."""
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
        """Yield what ListObjectsV2 answers of each object, page by page, as AWS hands it to a child."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(**_given(self._parameters))
        with failing_as(ITEM_READER_FAILED):
            for page in pages:
                yield from map(_listed, page.get("Contents", []))

    def content(self) -> Iterator[Json]:
        """Yield the items that an object holds."""
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
        """Yield the rows of an S3 inventory's files, named by its schema."""
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
            raise _failed(f"The ItemsPointer '{pointer}' leads to nothing in the object.")
        value = value[key]
    if not isinstance(value, list):
        raise _failed("Attempting to map over non-iterable node.")
    return value


def _csv_items(lines: Iterable[str], config: Mapping[str, Json]) -> Iterator[Json]:
    """Yield rows as objects: too short ones filled with empty texts, what is too much left out."""
    delimiter = _DELIMITERS.get(str(config.get("CSVDelimiter") or "COMMA"), ",")
    rows = (row for row in csv.reader(lines, delimiter=delimiter) if row)
    given = config.get("CSVHeaderLocation") == "GIVEN"
    headers = [str(name) for name in config.get("CSVHeaders") or []] if given else next(rows, [])
    if len(set(headers)) < len(headers):
        raise _failed("CSV headers cannot contain duplicates.")
    for row in rows:
        yield dict(zip(headers, [*row, *[""] * (len(headers) - len(row))], strict=False))
