"""Reasons why a file was refused, worded for readers of the report."""

import json
from collections.abc import Mapping

from django.utils.text import Truncator
from django.utils.translation import gettext, override
from django.utils.translation import gettext_noop as _

REASON_MAX_LENGTH = 500

_UNKNOWN = _("The file could not be processed.")
_CRASHED = _("The file could not be processed: it asked for more memory than there is, or stopped the program.")
_TOO_SLOW = _("The file could not be processed in the time that one file may take.")

# By the name of the error. What Lambda and Step Functions call a crash and a timeout differs by how it ended.
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
SENTENCES: Mapping[str, str] = {
    "ActiveContent": _("The file carries a program that could run where it is opened, so it was not processed."),
    "AmbiguousContent": _("The file is of two types at once, so it can not be told what it shows."),
    "DecoderCrashed": _("The file is damaged in a way that stopped the program that reads it."),
    "DecoderOutOfMemory": _("The file asks for more memory than one file may take."),
    "DecoderTimedOut": _TOO_SLOW,
    "DecompressionBomb": _("The file is packed: unpacked it would be too large to be processed."),
    "FileEmpty": _("The file is empty."),
    "FileMissing": _("The file is no longer in the storage."),
    "FileTooLarge": _("The file is too large to be processed."),
    "UnreadableAudio": _("The recording is damaged and can not be played."),
    "UnreadableDocument": _("The document is damaged or protected by a password."),
    "UnreadableImage": _("The picture is damaged and can not be shown."),
    "UnreadablePdf": _("The PDF is damaged or protected by a password."),
    "UnreadableVideo": _("The video is damaged and can not be played."),
    "States.Timeout": _TOO_SLOW,
    "Sandbox.Timedout": _TOO_SLOW,
    "Lambda.Unknown": _CRASHED,
    "Lambda.ServiceException": _CRASHED,
    "Runtime.ExitError": _CRASHED,
    "Runtime.OutOfMemory": _CRASHED,
}

# Why an accepted file has no thumbnail: the contract's NO_PICTURE, here to be translated.
NO_THUMBNAIL = _("A file of this kind has no picture to be made small: the original is kept.")


def sentence_of(error: str) -> str:
    """Return what happened to a file, in the active language."""
    return gettext(SENTENCES.get(error, _UNKNOWN))


def reason_of(error: str | None, cause: str | None, where: str = "") -> str:
    """Return the sentence for an error and what the step said of it, in English, for the record.

    ``cause`` is Lambda's JSON text ``{"errorType", "errorMessage", …}``, or a plain text.
    ``where`` is what the step's message starts with (the file's key): nobody reads that.
    """
    with override("en"):
        sentence = sentence_of(error or "")
    message = _message(cause or "").removeprefix(f"{where}: ").strip()
    # Only our own errors are worded for people; a crash's text is about processes and memory.
    known = error in SENTENCES and "." not in (error or "")
    text = f"{sentence} It {message}" if known and message else sentence
    return Truncator(text).chars(REASON_MAX_LENGTH)


def _message(cause: str) -> str:
    try:
        said = json.loads(cause)
    except ValueError:
        return ""
    message = said.get("errorMessage", "") if isinstance(said, dict) else ""
    return message.replace("\x00", "") if isinstance(message, str) else ""
