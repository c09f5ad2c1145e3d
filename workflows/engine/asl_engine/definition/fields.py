"""Fields of a definition compiled: literals, paths, templates, retriers and catchers."""

from dataclasses import dataclass

from asl_engine.definition.program import Catcher, Retrier
from asl_engine.jsontext import Json
from asl_engine.language.env import Expression
from asl_engine.language.intrinsics import compile_intrinsic
from asl_engine.language.jsonata import compile_jsonata
from asl_engine.language.jsonpath import CompiledPath, compile_path
from asl_engine.language.templates import Constant, compile_template, is_jsonata, jsonata_of


def speaks_jsonata(node: dict[str, Json], inherited: bool) -> bool:
    """Return whether a machine's or a state's query language is JSONata: its own, or else the one around it."""
    language = node.get("QueryLanguage")
    return inherited if language is None else bool(language == "JSONata")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object of a definition, read by the rules of its query language."""

    node: dict[str, Json]
    jsonata: bool
    machine_jsonata: bool = False
    at: str = ""  # what comes before a field's name where AWS says which one failed

    def template(self, *names: str) -> Expression | None:
        """Return the first of the fields that is there, as a template."""
        name = next((name for name in names if name in self.node), None)
        return None if name is None else compile_template(self.node[name], self.jsonata, f"{self.at}{name}")

    def path(self, name: str) -> CompiledPath | None:
        """Return a path. None where it is left out, null, or the whole document."""
        text = self.node.get(name)
        return None if text is None or text == "$" else compile_path(text)

    def discards(self, name: str) -> bool:
        """Return whether the field is an explicit null."""
        return name in self.node and self.node[name] is None

    def value(self, name: str) -> Expression | None:
        """Return what gives a field's value while running: a literal, ``NamePath``, or JSONata in ``Name``."""
        value: Json = self.node.get(name)
        if self.jsonata and is_jsonata(value):
            return compile_jsonata(jsonata_of(value), f"{self.at}{name}")
        path = None if self.jsonata else self.node.get(f"{name}Path")
        if isinstance(path, str):
            return compile_intrinsic(path) if path.startswith("States.") else compile_path(path)
        return None if value is None else Constant(value)


def compile_retriers(node: dict[str, Json]) -> tuple[Retrier, ...]:
    """Return a state's Retry."""
    return tuple(map(_retrier, node.get("Retry") or ()))


def _retrier(entry: dict[str, Json]) -> Retrier:
    return Retrier(
        error_equals=tuple(entry["ErrorEquals"]),
        interval_seconds=entry.get("IntervalSeconds", 1),
        max_attempts=entry.get("MaxAttempts", 3),
        backoff_rate=entry.get("BackoffRate", 2.0),
        max_delay_seconds=entry.get("MaxDelaySeconds"),
        jitter=entry.get("JitterStrategy") == "FULL",
    )


def compile_catchers(node: dict[str, Json], jsonata: bool) -> tuple[Catcher, ...]:
    """Return a state's Catch."""
    entries = enumerate(node.get("Catch") or ())
    return tuple(_catcher(Fields(entry, jsonata, at=f"Catch[{index}]/")) for index, entry in entries)


def _catcher(fields: Fields) -> Catcher:
    return Catcher(
        error_equals=tuple(fields.node["ErrorEquals"]),
        next=fields.node["Next"],
        result_path=fields.path("ResultPath"),
        discard=fields.discards("ResultPath"),
        assign=fields.template("Assign"),
        output=fields.template("Output") if fields.jsonata else None,
    )
