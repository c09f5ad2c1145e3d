"""Reads a text from left to right: what the parsers of paths and of intrinsic functions have in common."""

import re
from typing import NoReturn

from asl_engine.errors import ExpressionMalformed

SPACE = re.compile(r"\s*")


class Reader:
    """A text, and the place that has been reached in it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self, problem: str) -> NoReturn:
        """Raise ExpressionMalformed for the place that has been reached."""
        raise ExpressionMalformed(self.text, self.at, problem)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return what a pattern matches here, and go on behind it."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def skip(self, token: str) -> bool:
        """Return whether a token is here, and go on behind it."""
        found = self.text.startswith(token, self.at)
        if found:
            self.at += len(token)
        return found

    def expect(self, token: str) -> None:
        """Go on behind a token that must be here."""
        if not self.skip(token):
            self.fail(f"{token!r} was expected")

    def space(self) -> None:
        """Go on behind white space, if there is any."""
        self.take(SPACE)

    def end(self) -> None:
        """Raise ExpressionMalformed if anything is left."""
        if self.at < len(self.text):
            self.fail(f"{self.text[self.at :]!r} was not expected")
