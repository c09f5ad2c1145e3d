"""The shapes of what a Map reads, batches and writes, and of how it processes."""

import re

from asl_engine.definition.checks_expressions import expressible, number_path, template
from asl_engine.definition.place import Place
from asl_engine.definition.rules import Rule, Shape, integer, list_of, one_of, text
from asl_engine.jsontext import Json

MAX_ITEMS = 100_000_000
_DISTRIBUTED_ONLY = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_S3 = re.compile(r"arn:aws[\w-]*:states:::s3:\w+")
_CSV_ONLY = ("CSVHeaderLocation", "CSVHeaders", "CSVDelimiter")


def processor_config_of(node: Json, *names: str) -> dict[str, Json]:
    """Return the ProcessorConfig of a processor, or of the Map that has one under one of these names."""
    for name in names:
        node = node.get(name, node) if isinstance(node, dict) else None
    config = node.get("ProcessorConfig") if isinstance(node, dict) else None
    return config if isinstance(config, dict) else {}


def _mode(place: Place, node: Json) -> None:
    if node.get("Mode") == "DISTRIBUTED":
        if "ExecutionType" not in node:
            place.refuse("These fields are required: [ExecutionType]", "Write STANDARD or EXPRESS.")
        if place.express:
            place.at("Mode").refuse(
                "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines",
                "Make the machine STANDARD, or the Map INLINE.",
            )
    elif "ExecutionType" in node:
        place.refuse("Field 'ExecutionType' is not supported", "Take it out, or make the Map DISTRIBUTED.")


PROCESSOR_CONFIG = Shape(
    {"Mode": one_of("INLINE", "DISTRIBUTED"), "ExecutionType": one_of("STANDARD", "EXPRESS")}, further=(_mode,)
)


def only_distributed(place: Place, node: Json) -> None:
    """Refuse an inline Map's fields that only a distributed one has."""
    if processor_config_of(node, "ItemProcessor", "Iterator").get("Mode") == "DISTRIBUTED":
        return
    for name in _DISTRIBUTED_ONLY:
        if name in node:
            remedy = "Take it out, or make the Map DISTRIBUTED in its ProcessorConfig."
            place.refuse(f"Field '{name}' is not supported", remedy)


def _resource(*actions: str) -> Rule:
    """Return a rule that refuses all but some actions of S3."""

    def rule(place: Place, value: Json) -> None:
        if not isinstance(value, str) or not _S3.fullmatch(value) or value.rpartition(":")[2] not in actions:
            remedy = " or ".join(f"arn:aws:states:::s3:{action}" for action in actions)
            place.refuse("The field 'Resource' does not match any of the allowed values", f"Write {remedy}.")

    return rule


def _csv(place: Place, node: Json) -> None:
    if node.get("InputType") != "CSV":
        for name in (name for name in _CSV_ONLY if name in node):
            place.refuse(f"Field '{name}' is not supported", 'Take it out, or write "InputType": "CSV".')
    elif "CSVHeaderLocation" not in node:
        place.refuse("The field 'CSVHeaderLocation' is required", "Write FIRST_ROW or GIVEN.")
    elif node["CSVHeaderLocation"] == "GIVEN" and "CSVHeaders" not in node:
        place.refuse("These fields are required: [CSVHeaders]", "List the headers.")


_READER_CONFIG = Shape(
    {
        "InputType": one_of("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
        "Transformation": one_of("NONE", "LOAD_AND_FLATTEN"),
        "ManifestType": one_of("S3_INVENTORY", "ATHENA_DATA"),
        "CSVHeaderLocation": one_of("FIRST_ROW", "GIVEN"),
        "CSVHeaders": list_of(text),
        "CSVDelimiter": one_of("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
        "ItemsPointer": text,
        "MaxItems": expressible(integer(0, MAX_ITEMS)),
        "MaxItemsPath": number_path,
    },
    exclusive=(("MaxItems", "MaxItemsPath"),),
    further=(_csv,),
)
ITEM_READER = Shape(
    {
        "Resource": _resource("getObject", "listObjectsV2"),
        "Parameters": template,
        "Arguments": template,
        "ReaderConfig": _READER_CONFIG,
    },
    required=("Resource",),
)
ITEM_BATCHER = Shape(
    {
        "BatchInput": template,
        "MaxItemsPerBatch": expressible(integer(0)),
        "MaxItemsPerBatchPath": number_path,
        "MaxInputBytesPerBatch": expressible(integer(0)),
        "MaxInputBytesPerBatchPath": number_path,
    },
    exclusive=(
        ("MaxItemsPerBatch", "MaxItemsPerBatchPath"),
        ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"),
    ),
)
_WRITER_CONFIG = Shape({"Transformation": one_of("NONE", "COMPACT", "FLATTEN"), "OutputType": one_of("JSON", "JSONL")})
RESULT_WRITER = Shape(
    {"Resource": _resource("putObject"), "Parameters": template, "Arguments": template, "WriterConfig": _WRITER_CONFIG}
)
