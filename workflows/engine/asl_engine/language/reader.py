"""A reader of texts, for the parsers of paths and of intrinsic functions."""

import re
from typing import NoReturn

from asl_engine.errors import ExpressionMalformed

SPACE = re.compile(r"\s*")


class Reader:
    """A text and a position in it."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fail(self, problem: str) -> NoReturn:
        """Raise ExpressionMalformed at the position."""
        raise ExpressionMalformed(self.text, self.at, problem)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the match of a pattern at the position, and move past it."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def skip(self, token: str) -> bool:
        """Return whether a token is at the position, and move past it."""
        found = self.text.startswith(token, self.at)
        if found:
            self.at += len(token)
        return found

    def expect(self, token: str) -> None:
        """Move past a token. Raises ExpressionMalformed for any other."""
        if not self.skip(token):
            self.fail(f"{token!r} was expected")

    def space(self) -> None:
        """Move past white space."""
        self.take(SPACE)

    def end(self) -> None:
        """Raise ExpressionMalformed unless the text ends here."""
        if self.at < len(self.text):
            self.fail(f"{self.text[self.at :]!r} was not expected")
