"""Masks secrets and personal data in payloads, by key: CONSOLE_MASKED_KEYS and the product's own patterns.

Every payload, error, cause and log line that the console shows goes through ``mask``, in HTML and JSON. A pattern is
in snake case: ``token`` matches every key with this word (``task_token``, ``nextToken``, ``X-Access-Token``). With
``*`` or ``?`` it must match the whole key, as in a shell: ``*_number``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import count
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from qu_workflows.console.defaults import MASKED_KEYS
from qu_workflows.console.hooks import registered_hooks
from qu_workflows.executions.queries import TaskRow

MASK = "•••"
SHOWN_CHARACTERS = 20_000  # of one payload on a page; a browser shows more of it slowly
PATTERN = re.compile(r"(?=.*[a-z0-9])[a-z0-9_*?]+")

_TOO_DEEP = "…"
_DEEPEST = 50  # nested objects, lists and JSON texts; Python's stack allows some hundreds
_LONGEST_KEY = 200  # of a longer key, the end is matched
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9*?]+")
_NAMES, _VALUES = ("name", "Name", "key", "Key"), ("value", "Value")

# Secrets by their form. Each pattern starts at a word and is bounded, to match in linear time.
_SECRETS = re.compile(
    r"""
    (?P<scheme>\b(?:Bearer|Basic)\s{1,3})[\w.~+/=-]{8,}         # the value of an Authorization header
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                             # an AWS access key's id
    | \beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*                         # a JSON Web Token
    | (?P<login>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@:"'?\#]{0,200}:[^\s/@"'?\#]{1,500}(?=@)  # a login in a URL
    """,
    re.VERBOSE,
)
_MAIL_ADDRESS = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# A key in a text that is not JSON, such as truncated JSON.
_KEY = re.compile(r"""(?<![\w.-])(?P<key>[\w.-]+)\\*["']?\s{0,3}(?P<sign>[:=])(?!//)\s{0,3}""")
_QUOTED = re.compile(
    r"""
    (?P<quote>["'])(?:\\.|(?!(?P=quote))[^\\])*(?P<end>(?P=quote)?)
    | (?P<escaped>\\+["'])(?:(?!(?<!\\)(?P=escaped)).)*(?P<end_escaped>(?:(?P=escaped))?)
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE = {
    "=": re.compile(r"""(?:(?:Bearer|Basic)\s+)?[^\s,;&)}\]"'<>]*"""),
    ":": re.compile(r"""[^\n,]*"""),  # prose or a header: to the end of the clause
}
# An element of XML or HTML with a text.
_ELEMENT = re.compile(r"(?P<tag><(?:[\w.-]{1,64}:)?(?P<name>[\w.-]{1,64})(?:\s[^<>]{0,200})?>)[^<>]{1,2000}(?=</)")
_NESTED = re.compile(r"[\[{(].*", re.DOTALL)  # the end of the value is unknown


def mask(value: Any) -> Any:
    """Return a JSON value with MASK in place of secrets and personal data; idempotent.

    The value of a masked key becomes MASK: an object as a whole, a list item by item; null, booleans and "" stay.
    JSON inside strings is masked as JSON; other strings where they have ``key=value``, a secret of a known form or,
    while ``email`` is masked, a mail address.
    """
    return _Masking((*masked_keys(), *registered_hooks().masked_keys)).masked(value, 0)


def masked_keys() -> Sequence[str]:
    """Return the patterns of the setting, or the defaults."""
    return tuple(getattr(settings, "CONSOLE_MASKED_KEYS", MASKED_KEYS))


def masked_row(row: TaskRow) -> TaskRow:
    """Return a row with its error masked."""
    return replace(row, error=mask(row.error))


def payload_text(value: Any, most: int = SHOWN_CHARACTERS) -> str:
    """Return a value masked, as indented JSON of at most ``most`` characters."""
    return text_of_masked(mask(value), most)


def text_of_masked(masked: Any, most: int = SHOWN_CHARACTERS) -> str:
    """Do ``payload_text`` for a result of ``mask``, without masking it again."""
    content = _read(masked)[0] if isinstance(masked, str) else masked
    text = masked if isinstance(masked, str) and content is None else _write(content, indent=2)
    if len(text) <= most:
        return text
    more = _("%(count)s characters more") % {"count": f"{len(text) - most:,}"}
    return f"{text[:most]}{_TOO_DEEP} ({more})"


@lru_cache(maxsize=8192)
def _fits(key: str, patterns: tuple[str, ...]) -> bool:
    name = _WORD_ENDS.sub("_", key).strip("_").lower()
    return any(
        fnmatchcase(name, pattern) if {"*", "?"} & set(pattern) else f"_{pattern}_" in f"_{name}_"
        for pattern in patterns
    )


@dataclass
class _Masking:
    """The masking of one value, whose repeated keys and texts are masked once."""

    patterns: tuple[str, ...]
    texts: dict[tuple[str, int], str] = field(default_factory=dict)  # by text and depth
    keys: dict[str, bool] = field(default_factory=dict)

    def masked(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            return _TOO_DEEP
        if isinstance(value, str):
            return self._text(value, depth)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple):
            if _are_pairs(value):  # headers as pairs: [["Authorization", "…"]]
                return [self._pair(name, item, depth + 1) for name, item in value]
            return [self.masked(item, depth + 1) for item in value]
        return value

    def _hides(self, key: str) -> bool:
        if key not in self.keys:
            self.keys[key] = _fits(key[-_LONGEST_KEY:], self.patterns)
        return self.keys[key]

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        # Headers and tags: {"Name": "Authorization", "Value": "…"}
        is_pair = not value.keys().isdisjoint(_VALUES) and any(
            isinstance(value.get(name), str) and self._hides(value[name]) for name in _NAMES
        )
        masked: dict[str, Any] = {}
        for key, item in value.items():
            name = str(key)
            shown = self._text(name, depth)  # a key may be a mail address
            if shown != name and shown in masked:
                shown = next(numbered for number in count(2) if (numbered := f"{shown} {number}") not in masked)
            hides = self._hides(name) or (is_pair and key in _VALUES)
            masked[shown] = _hidden(item) if hides else self.masked(item, depth + 1)
        return masked

    def _pair(self, name: str, item: Any, depth: int) -> list[Any]:
        return [self._text(name, depth), _hidden(item) if self._hides(name) else self.masked(item, depth + 1)]

    def _element(self, found: re.Match[str]) -> str:
        return f"{found['tag']}{MASK}" if self._hides(found["name"]) else found[0]

    def _text(self, text: str, depth: int) -> str:
        known = self.texts.get((text, depth))
        if known is None:
            known = self.texts[text, depth] = self._masked_text(text, depth)
        return known

    def _masked_text(self, text: str, depth: int) -> str:
        given, is_ambiguous = _read(text)
        if given is None:
            return self._words(text)
        masked = self.masked(given, depth + 1)
        # The original text if nothing was masked; of repeated keys only the last was read.
        return text if masked == given and not is_ambiguous else _write(masked)

    def _words(self, text: str) -> str:
        text = _SECRETS.sub(_without_secret, _encodable(text))
        for pattern in registered_hooks().secret_patterns:
            text = pattern.sub(MASK, text)
        if "@" in text and self._hides("email"):
            text = _MAIL_ADDRESS.sub(MASK, text)
        text = _ELEMENT.sub(self._element, text)
        kept, position = [], 0
        for found in _KEY.finditer(text):
            if found.start() < position or not self._hides(found["key"]):
                continue
            shown, end = _masked_value(text, found.end(), found["sign"])
            kept += [text[position : found.end()], shown]
            position = end
        return "".join([*kept, text[position:]])


def _are_pairs(value: Sequence[Any]) -> bool:
    return bool(value) and all(
        isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str) for item in value
    )


def _hidden(value: Any) -> Any:
    if value is None or value == "" or isinstance(value, bool):
        return value
    return [_hidden(item) for item in value] if isinstance(value, list | tuple) else MASK


def _read(text: str) -> tuple[Any, bool]:
    """Return the JSON in a text or None, and whether it repeats a key."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None, False
    repeats = []

    def from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            repeats.append(True)
        return members

    try:
        return json.loads(text, object_pairs_hook=from_pairs), bool(repeats)
    except (ValueError, RecursionError):
        return None, False


def _write(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    return _encodable(text)


def _encodable(text: str) -> str:
    """Escape lone surrogates, which JSON allows and UTF-8 does not."""
    return text.encode("utf-8", "backslashreplace").decode()


def _without_secret(found: re.Match[str]) -> str:
    return f"{found['scheme'] or found['login'] or ''}{MASK}"


def _masked_value(text: str, start: int, sign: str) -> tuple[str, int]:
    """Return the masked form of the value that starts here, and its end."""
    if quoted := _QUOTED.match(text, start):
        opening, closing = quoted["quote"] or quoted["escaped"], quoted["end"] or quoted["end_escaped"] or ""
        return f"{opening}{MASK}{closing}", quoted.end()
    if nested := _NESTED.match(text, start):
        return MASK, nested.end()
    bare = _BARE[sign].match(text, start)
    return (MASK, bare.end()) if bare and bare[0] else ("", start)
