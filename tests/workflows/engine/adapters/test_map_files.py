"""ItemReader and ResultWriter with moto's S3."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_engine.adapters.map_files import read_items, transformed, write_results
from asl_engine.adapters.performer import TaskError
from asl_engine.adapters.services import ServiceClients
from asl_engine.store.records import ExecutionRecord

GET_OBJECT = "arn:aws:states:::s3:getObject"
LIST_OBJECTS = "arn:aws:states:::s3:listObjectsV2"
RUN_ARN = "arn:aws:states:us-east-2:123456789012:mapRun:machine/Each:12345678-aaaa"
type Put = Callable[[str, str | bytes], None]


@pytest.fixture
def put(clients: ServiceClients) -> Put:
    region = {"LocationConstraint": "us-east-2"}
    clients.client("s3").create_bucket(Bucket="data", CreateBucketConfiguration=region)
    return lambda key, body: clients.client("s3").put_object(Bucket="data", Key=key, Body=body)


def read(clients: ServiceClients, **config: Any) -> list[Any]:
    return read_items(GET_OBJECT, {"Bucket": "data", "Key": "file"}, config, clients)


def cause_of(clients: ServiceClients, **config: Any) -> str | None:
    with pytest.raises(TaskError) as raised:
        read(clients, **config)
    assert raised.value.error == "States.ItemReaderFailed"
    return raised.value.cause


def test_a_json_array_gives_its_items(clients: ServiceClients, put: Put) -> None:
    put("file", b'\xef\xbb\xbf[1, {"a": null}, "x"]')

    assert read(clients, InputType="JSON") == [1, {"a": None}, "x"]


def test_an_items_pointer_selects_the_array(clients: ServiceClients, put: Put) -> None:
    put("file", json.dumps({"a/b": {"c": [1, 2]}}))

    assert read(clients, InputType="JSON", ItemsPointer="/a~1b/c") == [1, 2]
    assert "does not exist" in str(cause_of(clients, ItemsPointer="/a/c"))


def test_each_line_of_jsonl_is_an_item(clients: ServiceClients, put: Put) -> None:
    put("file", '{"a": 1}\n\n[2]\n')

    assert read(clients, InputType="JSONL") == [{"a": 1}, [2]]


@pytest.mark.parametrize(("limit", "count"), [(None, 4), (0, 4), (2, 2), ("3", 3), (100_000_001, 4)])
def test_max_items_limits_the_items(clients: ServiceClients, put: Put, limit: Any, count: int) -> None:
    put("file", "[1, 2, 3, 4]")

    assert len(read(clients, MaxItems=limit)) == count


@pytest.mark.parametrize(
    ("limit", "cause"), [(-1, "field MaxItems must be positive"), ("many", "field MaxItems must be a number")]
)
def test_an_invalid_limit_is_refused(clients: ServiceClients, limit: Any, cause: str) -> None:
    assert cause_of(clients, MaxItems=limit) == cause


def test_csv_rows_are_named_by_the_first_row(clients: ServiceClients, put: Put) -> None:
    put("file", 'a,b,c\n1,"x, y",3\n   \n,,,\n4,5,6,7\n')

    assert read(clients, InputType="CSV", CSVHeaderLocation="FIRST_ROW") == [
        {"a": "1", "b": "x, y", "c": "3"},
        {"a": "   ", "b": "", "c": ""},
        {"a": "", "b": "", "c": ""},
        {"a": "4", "b": "5", "c": "6"},
    ]


@pytest.mark.parametrize(
    ("name", "delimiter"), [("COMMA", ","), ("PIPE", "|"), ("SEMICOLON", ";"), ("SPACE", " "), ("TAB", "\t")]
)
def test_csv_rows_are_named_by_given_headers(clients: ServiceClients, put: Put, name: str, delimiter: str) -> None:
    put("file", f"1{delimiter}2\n3{delimiter}4\n")

    rows = read(
        clients, InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["a", "b"], CSVDelimiter=name, MaxItems=1
    )

    assert rows == [{"a": "1", "b": "2"}]


def test_duplicate_headers_are_refused(clients: ServiceClients, put: Put) -> None:
    put("file", "1,2\n")

    cause = cause_of(clients, InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["a", "a"])

    assert cause == "CSV headers cannot contain duplicates."


def test_objects_are_listed_page_by_page(clients: ServiceClients, put: Put) -> None:
    for number in range(5):
        put(f"in/{number}", "x" * number)
    put("out/5", "")

    items = read_items(LIST_OBJECTS, {"Bucket": "data", "Prefix": "in/", "MaxKeys": 2}, {}, clients)

    assert [(item["Key"], item["Size"]) for item in items] == [(f"in/{number}", number) for number in range(5)]
    assert sorted(items[0]) == ["Etag", "Key", "LastModified", "Size", "StorageClass"]
    assert isinstance(items[0]["LastModified"], int)


def test_an_inventory_gives_the_rows_of_its_files(clients: ServiceClients, put: Put) -> None:
    put("inventory/0.csv.gz", gzip.compress(b'"data","a.jpg","1"\n"data","b.jpg","2"\n'))
    manifest = {
        "destinationBucket": "arn:aws:s3:::data",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inventory/0.csv.gz"}],
    }
    put("file", json.dumps(manifest))

    assert read(clients, InputType="MANIFEST") == [
        {"Bucket": "data", "Key": "a.jpg", "Size": "1"},
        {"Bucket": "data", "Key": "b.jpg", "Size": "2"},
    ]


@pytest.mark.parametrize(
    ("body", "kind", "cause"),
    [
        ("{}", "JSON", "Attempting to map over non-iterable node."),
        ("{", "JSON", "The object holds text that is not valid JSON."),
        ("1\n{", "JSONL", "The object holds text that is not valid JSON."),
        (b"\xff", "CSV", "The object is not encoded as UTF-8."),
        ("x", "PARQUET", "The InputType 'PARQUET' is not supported by this engine."),
        ('{"fileFormat": "ORC"}', "MANIFEST", "An inventory of format 'ORC' is not supported by this engine."),
    ],
)
def test_an_object_without_items_fails_the_reader(
    clients: ServiceClients, put: Put, body: str | bytes, kind: str, cause: str
) -> None:
    put("file", body)

    assert cause_of(clients, InputType=kind) == cause


def test_a_refusal_of_s3_fails_the_reader(clients: ServiceClients, put: Put) -> None:  # noqa: ARG001  the bucket
    assert cause_of(clients) == "The specified key does not exist."


def test_another_reader_is_refused(clients: ServiceClients) -> None:
    with pytest.raises(TaskError, match="not supported"):
        read_items("arn:aws:states:::s3:deleteObject", {}, {}, clients)


def child(name: str, status: str, **rest: Any) -> ExecutionRecord:
    return ExecutionRecord(
        arn=f"arn:{name}",
        state_machine_arn="arn:machine/Map",
        name=name,
        status=status,
        input="{}",
        definition="",
        start_ms=1_700_000_000_123,
        stop_ms=1_700_000_001_000,
        **rest,
    )


CHILDREN = [
    child("a", "SUCCEEDED", output='[1,{"b":2}]'),
    child("b", "FAILED", error="Broken", cause="because"),
    child("c", "SUCCEEDED", output="3"),
    child("d", "TIMED_OUT"),
]


def stored(clients: ServiceClients, key: str) -> Any:
    return clients.client("s3").get_object(Bucket="data", Key=key)["Body"].read().decode()


def test_results_have_the_layout_of_aws(clients: ServiceClients, put: Put) -> None:  # noqa: ARG001
    output = write_results({"Bucket": "data", "Prefix": "out"}, {}, RUN_ARN, CHILDREN, clients)

    folder = "out/12345678-aaaa"
    assert output == {
        "MapRunArn": RUN_ARN,
        "ResultWriterDetails": {"Bucket": "data", "Key": f"{folder}/manifest.json"},
    }
    manifest = json.loads(stored(clients, f"{folder}/manifest.json"))
    succeeded, failed = stored(clients, f"{folder}/SUCCEEDED_0.json"), stored(clients, f"{folder}/FAILED_0.json")
    assert manifest == {
        "DestinationBucket": "data",
        "MapRunArn": RUN_ARN,
        "ResultFiles": {
            "FAILED": [{"Key": f"{folder}/FAILED_0.json", "Size": len(failed)}],
            "PENDING": [],
            "SUCCEEDED": [{"Key": f"{folder}/SUCCEEDED_0.json", "Size": len(succeeded)}],
        },
    }
    assert [entry["Name"] for entry in json.loads(failed)] == ["b", "d"]
    first = json.loads(succeeded)[0]
    assert (first["RedriveCount"], first["RedriveStatus"], first["StateMachineArn"]) == (
        0,
        "NOT_REDRIVABLE",
        "arn:machine/Map",
    )
    assert (
        first.items()
        >= {
            "ExecutionArn": "arn:a",
            "Input": "{}",
            "InputDetails": {"Included": True},
            "Name": "a",
            "Output": '[1,{"b":2}]',
            "OutputDetails": {"Included": True},
            "StartDate": "2023-11-14T22:13:20.123Z",
            "Status": "SUCCEEDED",
            "StopDate": "2023-11-14T22:13:21.000Z",
        }.items()
    )


@pytest.mark.parametrize(
    ("transformation", "expected"), [("COMPACT", [[1, {"b": 2}], 3]), ("FLATTEN", [1, {"b": 2}, 3])]
)
def test_results_may_be_outputs_alone(
    clients: ServiceClients,
    put: Put,  # noqa: ARG001
    transformation: str,
    expected: Any,
) -> None:
    config = {"Transformation": transformation, "OutputType": "JSONL"}

    write_results({"Bucket": "data"}, config, RUN_ARN, CHILDREN, clients)

    lines = stored(clients, "12345678-aaaa/SUCCEEDED_0.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == expected


def test_an_unknown_bucket_fails_the_writer(clients: ServiceClients) -> None:
    with pytest.raises(TaskError) as raised:
        write_results({"Bucket": "none"}, {}, RUN_ARN, CHILDREN, clients)

    assert (raised.value.error, raised.value.cause) == (
        "States.ResultWriterFailed",
        "The specified bucket does not exist",
    )


@given(st.lists(st.lists(st.integers()) | st.integers()))
def test_flattening_keeps_every_item_in_order(outputs: list[Any]) -> None:
    flat = transformed(outputs, "FLATTEN")

    assert flat == [item for output in outputs for item in (output if isinstance(output, list) else [output])]
    assert transformed(outputs, "COMPACT") == outputs
