"""The text of an HTML mail, for readers and programs that show no HTML."""

import re
from html.parser import HTMLParser

_SILENT = frozenset({"head", "script", "style", "template", "title"})
_LINES = frozenset({"br", "div", "dd", "dt", "li", "table", "td", "th", "tr"})
_PARAGRAPHS = frozenset({"blockquote", "h1", "h2", "h3", "h4", "ol", "p", "ul"})


def text_of(html: str) -> str:
    """Return what a reader sees of an HTML document: paragraphs, list items, and links with their addresses."""
    parser = _TextParser()
    parser.feed(html)
    parser.close()
    lines = [" ".join(line.split()) for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _TextParser(HTMLParser):
    """Collects the visible text. What it does not know it leaves out, never raises for."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent.append(tag)
        self._break(tag)
        if tag == "li":
            self.parts.append("- ")
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.parts)))
        elif tag == "img" and not self._silent:
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()
        self._break(tag)
        if tag == "a" and self._links:
            address, start = self._links.pop()
            shown = "".join(self.parts[start:]).strip()
            if address and address != shown and not self._silent:
                self.parts.append(f" ({address.removeprefix('mailto:')})" if shown else address)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if not self._silent and tag in _LINES | _PARAGRAPHS:
            self.parts.append("\n\n" if tag in _PARAGRAPHS else "\n")
