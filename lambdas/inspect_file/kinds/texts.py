"""Distinguishes texts: plain ones in any usual encoding, and those that are a format: SVG, HTML, XML, RTF, scripts."""

import codecs
import re

# Longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Of the control characters, those that text has: tab, line feed, form feed, carriage return, and ANSI's escape.
_NOT_TEXT = frozenset(range(32)) - {9, 10, 12, 13, 27} | {127}
# Old Windows text has few letters beyond ASCII; of bytes by chance more than half lie there.
_MOST_BEYOND_ASCII = 0.3
_XML_BEFORE_ROOT = re.compile(r"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^\[>]|\[[^\]]*\])*>)*", re.S)
_ROOT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)")
# What browsers take for HTML: https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]",
    re.I | re.S,
)


def media_type_of_text(head: bytes, *, is_whole: bool) -> str | None:
    """Return the media type of what is text by all of ``head``, None for anything else."""
    text = decode_text(head, is_whole=is_whole)
    if text is None or head.startswith(b"#!AMR"):
        return None
    return _script(text) or _markup(text) or "text/plain"


def decode_text(head: bytes, *, is_whole: bool) -> str | None:
    """Return bytes as text, None if they are none. What is not whole may end within a character."""
    if not head:
        return None
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return codecs.getincrementaldecoder(encoding)("replace").decode(head[len(mark) :])
    if _NOT_TEXT.intersection(head):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head, final=is_whole)
    except UnicodeDecodeError:
        beyond = sum(byte > 127 for byte in head)
        return head.decode("cp1252", "replace") if beyond <= len(head) * _MOST_BEYOND_ASCII else None


def _script(text: str) -> str | None:
    if re.match(r"#!\s*/", text):
        return "text/x-shellscript"
    return "application/x-bat" if re.match(r"\s*@echo\s+off\b", text, re.I) else None


def _markup(text: str) -> str | None:
    if text.lstrip().startswith("{\\rtf"):
        return "application/rtf"
    if _HTML.match(text):
        return "text/html"
    before = _XML_BEFORE_ROOT.match(text)
    root = _ROOT.match(text, before.end() if before else 0)
    name = root[1].lower() if root else ""
    if name == "svg":
        return "image/svg+xml"
    if name == "html":
        return "application/xhtml+xml" if text.lstrip().startswith("<?xml") else "text/html"
    return "text/xml" if text.lstrip().startswith("<?xml") else None
