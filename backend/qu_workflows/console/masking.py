"""Masks secrets and personal data in payloads, by the names of keys: CONSOLE_MASKED_KEYS and the product's own.

Everything of a payload that the console shows goes through ``mask``: inputs, outputs, errors, causes, details of
events, log lines; in the HTML and in its JSON twin alike. A pattern is a name as JSON has it, in snake case: ``token``
fits every key that has this word in it (``token``, ``task_token``, ``nextToken``, ``X-Access-Token``). With ``*`` or
``?`` it has to fit the whole key, as in a shell: ``*_number``.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import count
from typing import Any, ClassVar, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from qu_workflows.console.defaults import MASKED_KEYS
from qu_workflows.console.hooks import registered_hooks

MASK = "•••"
SHOWN_CHARACTERS = 20_000  # of one payload on a page; a browser shows more of it slowly
PATTERN = re.compile(r"(?=.*[a-z0-9])[a-z0-9_*?]+")

_TOO_DEEP = "…"
_DEEPEST = 50  # of objects, lists and JSON texts inside one another: Python's own stack holds some hundreds
_LONGEST_KEY = 200  # its end counts; what is longer is no name
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9*?]+")
_NAMES, _VALUES = ("name", "Name", "key", "Key"), ("value", "Value")

# What is a secret whatever it is called. Each begins where a word does and is bounded, so that none takes long.
_SECRETS = re.compile(
    r"""
    (?P<scheme>\b(?:Bearer|Basic)\s{1,3})[\w.~+/=-]{8,}         # the value of an Authorization header
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                             # an AWS access key's id
    | \beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*                         # a JSON Web Token
    | (?P<login>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@:"'?\#]{0,200}:[^\s/@"'?\#]{1,500}(?=@)  # who signs in, in a URL
    """,
    re.VERBOSE,
)
_MAIL_ADDRESS = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# In texts that are no JSON, such as one that was cut: a key, and where its value begins.
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
_NESTED = re.compile(r"[\[{(].*", re.DOTALL)  # in a text that was cut, the end of the value is unknown


def mask(value: Any) -> Any:
    """Return a JSON value with MASK in place of what is secret or personal; the structure stays.

    The value of a masked key becomes MASK: an object as a whole, a list item by item; null, true, false and "" stay.
    Texts that hold JSON are masked as JSON, and other texts where they say ``key=value``, hold a secret of a known
    form, or an address of mail (while ``email`` is masked). Masking twice gives the same.
    """
    return _Masking((*masked_keys(), *registered_hooks().masked_keys)).masked(value, 0)


def masked_keys() -> Sequence[str]:
    """Return the patterns of the setting, or else the usual ones."""
    return tuple(getattr(settings, "CONSOLE_MASKED_KEYS", MASKED_KEYS))


class Row(Protocol):
    """A row of a table, a dataclass, with the error that a task ended with."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def error(self) -> str:
        """The value as recorded, or masked."""


def masked_row[R: Row](row: R) -> R:
    """Return a row with its error masked."""
    return replace(row, error=mask(row.error))


def payload_text(value: Any, most: int = SHOWN_CHARACTERS) -> str:
    """Return a masked value as a text for people: indented JSON, cut after so many characters with a sign."""
    return text_of_masked(mask(value), most)


def text_of_masked(masked: Any, most: int = SHOWN_CHARACTERS) -> str:
    """Return what ``mask`` gave, and nothing else, as ``payload_text`` does: to mask it again would take time."""
    if isinstance(masked, str):
        given, _again = _read(masked)
        text = masked if given is None else _write(given, indent=2)
    else:
        text = _write(masked, indent=2)
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
    """One masking of one value. A long history says the same keys and texts again and again: each is masked once."""

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
            return [self.masked(item, depth + 1) for item in value]
        return value

    def _hides(self, key: str) -> bool:
        if key not in self.keys:
            self.keys[key] = _fits(key[-_LONGEST_KEY:], self.patterns)
        return self.keys[key]

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        # {"Name": "Authorization", "Value": "…"}: headers and tags come as pairs
        is_pair = not value.keys().isdisjoint(_VALUES) and any(
            isinstance(value.get(name), str) and self._hides(value[name]) for name in _NAMES
        )
        masked: dict[str, Any] = {}
        for key, item in value.items():
            name = str(key)
            shown = self._text(name, depth)  # a key may be an address
            if shown != name and shown in masked:
                shown = _numbered(shown, masked)
            hides = self._hides(name) or (is_pair and key in _VALUES)
            masked[shown] = _hidden(item) if hides else self.masked(item, depth + 1)
        return masked

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
        # As it was written, where nothing is masked; of two equal keys only the last was read.
        return text if masked == given and not is_ambiguous else _write(masked)

    def _words(self, text: str) -> str:
        text = _SECRETS.sub(_without_secret, _encodable(text))
        for pattern in registered_hooks().secret_patterns:
            text = pattern.sub(MASK, text)
        if "@" in text and self._hides("email"):
            text = _MAIL_ADDRESS.sub(MASK, text)
        kept, position = [], 0
        for found in _KEY.finditer(text):
            if found.start() < position or not self._hides(found["key"]):
                continue
            shown, end = _masked_value(text, found.end(), found["sign"])
            kept += [text[position : found.end()], shown]
            position = end
        return "".join([*kept, text[position:]])


def _numbered(key: str, taken: Iterable[str]) -> str:
    """Return a masked key with a number, so that it differs from others that are masked."""
    return next(numbered for number in count(2) if (numbered := f"{key} {number}") not in taken)


def _hidden(value: Any) -> Any:
    if value is None or value == "" or isinstance(value, bool):
        return value
    return [_hidden(item) for item in value] if isinstance(value, list | tuple) else MASK


def _read(text: str) -> tuple[Any, bool]:
    """Return the JSON that a text holds, None if it holds none; and whether an object in it says a key twice."""
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
    """Return a text without lone surrogates, which JSON can say and no response can carry."""
    return text.encode("utf-8", "backslashreplace").decode()


def _without_secret(found: re.Match[str]) -> str:
    return f"{found['scheme'] or found['login'] or ''}{MASK}"


def _masked_value(text: str, start: int, sign: str) -> tuple[str, int]:
    """Return what stands in place of the value that begins here, and where it ends."""
    if quoted := _QUOTED.match(text, start):
        opening, closing = quoted["quote"] or quoted["escaped"], quoted["end"] or quoted["end_escaped"] or ""
        return f"{opening}{MASK}{closing}", quoted.end()
    if nested := _NESTED.match(text, start):
        return MASK, nested.end()
    bare = _BARE[sign].match(text, start)
    return (MASK, bare.end()) if bare and bare[0] else ("", start)
