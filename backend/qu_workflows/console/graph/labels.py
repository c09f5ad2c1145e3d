"""Short labels for Choice rules, catchers and kinds of states."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from qu_workflows.console.formatting import duration

_SHOWN_ERRORS = 3
_ORDERS = {
    "Equals": "=",
    "LessThan": "<",
    "GreaterThan": ">",
    "LessThanEquals": "≤",
    "GreaterThanEquals": "≥",
}
_TESTS = {
    "IsNull": (gettext_lazy("is null"), gettext_lazy("is not null")),
    "IsPresent": (gettext_lazy("is present"), gettext_lazy("is not present")),
    "IsNumeric": (gettext_lazy("is a number"), gettext_lazy("is not a number")),
    "IsString": (gettext_lazy("is a string"), gettext_lazy("is not a string")),
    "IsBoolean": (gettext_lazy("is a boolean"), gettext_lazy("is not a boolean")),
    "IsTimestamp": (gettext_lazy("is a timestamp"), gettext_lazy("is not a timestamp")),
}
_KINDS_OF_VALUE = ("String", "Numeric", "Boolean", "Timestamp")


def rule_words(rule: Mapping[str, Any]) -> str:
    """Return the condition of a Choice rule: ``$.kind is image or pdf``, ``$.n < 3``."""
    if "Condition" in rule:
        return _expression(rule["Condition"])
    for key, joint in (("And", _("and")), ("Or", _("or"))):
        if isinstance(rule.get(key), list):
            return _joined(rule[key], joint, alike=key == "Or")
    if isinstance(rule.get("Not"), Mapping):
        return _("not (%(condition)s)") % {"condition": rule_words(rule["Not"])}
    return f"{rule.get('Variable', '?')} {_comparison(rule)}"


def _joined(rules: Sequence[Any], joint: str, *, alike: bool) -> str:
    """Join rules; with ``alike``, name the variable of several equality tests only once."""
    parts: list[tuple[str, list[str]]] = []
    for each in rules:
        rule = each if isinstance(each, Mapping) else {}
        words = rule_words(rule)
        nested = "And" in rule or "Or" in rule
        begin, value = _split(rule) if alike and not nested else ("", f"({words})" if nested else words)
        if parts and begin and parts[-1][0] == begin:
            parts[-1][1].append(value)
        else:
            parts.append((begin, [value]))
    return f" {joint} ".join(f"{begin} {f' {joint} '.join(values)}".strip() for begin, values in parts)


def _split(rule: Mapping[str, Any]) -> tuple[str, str]:
    """Split ``$.kind is pdf`` before the value; any other rule is returned whole, after ""."""
    if isinstance(rule.get("StringEquals"), str) and "Variable" in rule:
        return _("%(variable)s is") % {"variable": rule["Variable"]}, _value(rule["StringEquals"])
    return "", rule_words(rule)


def _comparison(rule: Mapping[str, Any]) -> str:
    for operator, value in rule.items():
        if operator in _TESTS:
            return str(_TESTS[operator][0 if value else 1])
        if compared := _compared(operator, value):
            return compared
    return "?"


def _compared(operator: str, value: Any) -> str:
    if operator == "StringMatches":
        return _("matches %(pattern)s") % {"pattern": _value(value)}
    kind = next((each for each in _KINDS_OF_VALUE if operator.startswith(each)), "")
    order = operator.removeprefix(kind).removesuffix("Path")
    if not kind or order not in _ORDERS:
        return ""
    if order == "Equals" and kind in ("String", "Boolean"):
        return _("is %(value)s") % {"value": _value(value)}
    return f"{_ORDERS[order]} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, str) and value and not any(character.isspace() for character in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _expression(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    if text.startswith("{%") and text.endswith("%}"):
        text = text[2:-2]
    return " ".join(text.split())


def catcher_words(catcher: Mapping[str, Any]) -> str:
    """Return the first errors of a catcher: ``on FileEmpty, FileMissing``."""
    errors = [str(each) for each in catcher.get("ErrorEquals") or ()]
    if "States.ALL" in errors:
        return _("on any error")
    shown = ", ".join(errors[:_SHOWN_ERRORS])
    more = len(errors) - _SHOWN_ERRORS
    if more > 0:
        return _("on %(errors)s and %(more)d more") % {"errors": shown, "more": more}
    return _("on %(errors)s") % {"errors": shown}


def all_errors(catcher: Mapping[str, Any]) -> str:
    """Return all errors of a catcher."""
    return ", ".join(str(each) for each in catcher.get("ErrorEquals") or ())


def kind_words(state: Mapping[str, Any]) -> str:
    """Return the kind of a state: ``Lambda function``, ``Map, 5 at a time``."""
    kind = str(state.get("Type", "?"))
    words = {"Task": _task, "Wait": _wait, "Map": _map, "Parallel": _parallel}.get(kind)
    return words(state) if words else kind


def _task(state: Mapping[str, Any]) -> str:
    resource = str(state.get("Resource", ""))
    name, _dot, pattern = resource.rpartition(":::")[2].partition(".")
    if ":::" not in resource:
        parts = resource.split(":")
        service = parts[2] if len(parts) > 2 else ""
        task = {"lambda": _("Lambda function"), "states": _("Activity")}.get(service, _("Task"))
    elif name == "lambda:invoke":
        task = _("Lambda function")
    else:
        task = name.removeprefix("aws-sdk:").replace(":", " ")
    if pattern == "waitForTaskToken":
        return _("%(task)s, waits for a callback") % {"task": task}
    return _("%(task)s, waits for its end") % {"task": task} if pattern.startswith("sync") else task


def _wait(state: Mapping[str, Any]) -> str:
    seconds = state.get("Seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return _("Wait %(duration)s") % {"duration": f"{seconds} s" if seconds < 60 else duration(seconds)}
    until = state.get("Timestamp", state.get("TimestampPath"))
    if until is not None:
        return _("Wait until %(time)s") % {"time": _expression(until)}
    return _("Wait %(duration)s") % {"duration": _expression(state.get("SecondsPath", seconds or "?"))}


def _map(state: Mapping[str, Any]) -> str:
    processor = state.get("ItemProcessor", state.get("Iterator"))
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    distributed = isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED"
    name = _("Distributed Map") if distributed else _("Map")
    most = state.get("MaxConcurrency")
    if isinstance(most, int) and most > 0:
        return _("%(map)s, %(most)d at a time") % {"map": name, "most": most}
    return name


def _parallel(state: Mapping[str, Any]) -> str:
    branches = state.get("Branches")
    count = len(branches) if isinstance(branches, list) else 0
    return ngettext("Parallel, %(count)d branch", "Parallel, %(count)d branches", count) % {"count": count}
