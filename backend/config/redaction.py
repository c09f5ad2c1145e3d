"""Keeps the tokens of links out of logs: such a link needs no password.

Django, its development server and Zappa log the path of a request, so all records are redacted when they are made.
"""

import logging
import re
from typing import Any

_LINK = re.compile(r"(/(?:reports|incidents|files)/)[\w.~-]+(?::|%3A)[\w.~:%-]+", re.IGNORECASE)
_MAKERS: set[Any] = set()


def without_tokens(text: str) -> str:
    """Return a text with its links' tokens replaced."""
    return _LINK.sub(r"\1[token]", text)


def redact_logs() -> None:
    """Redact each later log record of this process. Safe to repeat."""
    make = logging.getLogRecordFactory()
    if make in _MAKERS:
        return

    def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if isinstance(record.msg, str):
            record.msg = without_tokens(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(without_tokens(one) if isinstance(one, str) else one for one in record.args)
        return record

    _MAKERS.add(make_redacted)
    logging.setLogRecordFactory(make_redacted)
