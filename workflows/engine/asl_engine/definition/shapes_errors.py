"""The shapes of Retry and Catch."""

from asl_engine.definition.checks_expressions import assignments, result_path, template
from asl_engine.definition.place import Place
from asl_engine.definition.rules import Shape, all_of, integer, list_of, number, one_of, text
from asl_engine.jsontext import Json

MAX_SECONDS = 99_999_999
MAX_DELAY_SECONDS = 31_622_400


def _all_stands_alone(place: Place, entries: Json) -> None:
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        listed = entry.get("ErrorEquals") if isinstance(entry, dict) else None
        names: list[Json] = listed if isinstance(listed, list) else []
        for each, name in enumerate(names):
            if name == "States.ALL" and (len(names) > 1 or index < len(entries) - 1):
                place.item(index).at("ErrorEquals").item(each).refuse(
                    "States.ALL must appear alone and at end of list", "Give it the last entry, to itself."
                )


def _delay_grows(place: Place, node: Json) -> None:
    most, first = node.get("MaxDelaySeconds"), node.get("IntervalSeconds", 1)
    if isinstance(most, int) and isinstance(first, int) and most <= first:
        message = "MaxDelaySeconds must be greater than IntervalSeconds"
        place.at("MaxDelaySeconds").refuse(message, f"Write more than {first}.")


_RETRIER = Shape(
    {
        "Comment": text,
        "ErrorEquals": list_of(text),
        "IntervalSeconds": integer(0, MAX_SECONDS),
        "MaxAttempts": integer(0, MAX_SECONDS),
        "BackoffRate": number(1.0),
        "MaxDelaySeconds": integer(1, MAX_DELAY_SECONDS),
        "JitterStrategy": one_of("NONE", "FULL"),
    },
    required=("ErrorEquals",),
    further=(_delay_grows,),
)
_CATCHER = Shape(
    {
        "Comment": text,
        "ErrorEquals": list_of(text),
        "Next": text,
        "ResultPath": result_path,
        "Assign": assignments,
        "Output": template,
    },
    required=("ErrorEquals", "Next"),
)


def _catchers(place: Place, value: Json) -> None:
    list_of(_CATCHER)(place.catching(), value)


RETRY = all_of(list_of(_RETRIER), _all_stands_alone)
CATCH = all_of(_catchers, _all_stands_alone)
