"""Text measurement and line wrapping.

The server has no fonts. The table has the widths of Arial bold, which Liberation Sans, Arimo and Helvetica share and
which their regular weights do not exceed. The stylesheet names these fonts.
"""

import unicodedata
from functools import lru_cache

# Characters by their width in thousandths of an em.
_WIDTHS = {
    238: "'",
    278: " ,./I\\ijl\xa0·ÌÍÎÏìíîïĨĩĪīĬĭĮįİıĵĺļłſ|¦",
    333: "!()-:;[]`ft¡¨²³¹ţŧ",
    400: "ºªľ*r{}ŕŗř°",
    479: '"ŀť',
    500: "zźżž",
    556: "±÷¯#$0123456789J_aceksvxy¢£¤¥§«¶»àáâãäåçèéêëýÿāăąćĉċčēĕėęěĳĴķĸśŝşšŷ",
    584: "µ+<=>^~¬",
    611: "?FLTZbdghnopqu¿ßðñòóôõöøùúûüþđĝğġģĥħĹĻĽĿŁńņňŋōŏőŢŤŦũūŭůűųŹŻŽ",
    667: "EPSVXYÈÉÊËÝÞĒĔĖĘĚŚŜŞŠŶŸ",
    737: "ŉď&ABCDHKNRUÀÁÂÃÄÅÇÐÑÙÚÛÜĀĂĄĆĈĊČĎĐĤĦĶŃŅŇŔŖŘŨŪŬŮŰŲŊ©®",
    785: "GOQwÒÓÔÕÖØĜĞĠĢŌŎŐŵĲ",
    833: "M¼½¾",
    889: "%mæ",
    1000: "WœŴ@ÆŒ",
}
_WIDTH_OF = {character: width for width, characters in _WIDTHS.items() for character in characters}
_OTHER, _WIDE = 850, 1050
_ELLIPSIS = "…"


@lru_cache(maxsize=4096)
def width_of(text: str, size: float) -> float:
    """Return the width of a text in pixels, rather over- than underestimated."""
    return sum(map(_thousandths, text)) * size / 1000


def _thousandths(character: str) -> int:
    known = _WIDTH_OF.get(character)
    if known is not None:
        return known
    if unicodedata.combining(character):
        return 0
    return _WIDE if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0xFFFF else _OTHER


@lru_cache(maxsize=4096)
def wrap(text: str, size: float, width: float, most_lines: int = 100) -> tuple[str, ...]:
    """Wrap a text at spaces, or inside words that are too wide.

    After ``most_lines`` it is cut, with an ellipsis.
    """
    lines: list[str] = []
    for word in text.split():
        for piece in _pieces(word, size, width):
            joined = f"{lines[-1]} {piece}" if lines else piece
            if lines and width_of(joined, size) <= width:
                lines[-1] = joined
            else:
                lines.append(piece)
    if len(lines) <= most_lines:
        return tuple(lines)
    return (*lines[: most_lines - 1], _cut(" ".join(lines[most_lines - 1 :]), size, width))


def _pieces(word: str, size: float, width: float) -> list[str]:
    if width_of(word, size) <= width:
        return [word]
    pieces = [""]
    for character in word:
        if pieces[-1] and width_of(pieces[-1] + character, size) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


def _cut(text: str, size: float, width: float) -> str:
    while text and width_of(text + _ELLIPSIS, size) > width:
        text = text[:-1]
    return text.rstrip() + _ELLIPSIS
