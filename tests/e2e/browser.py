"""A minimal browser: cookies and form submission."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin


@dataclass(frozen=True)
class Page:
    """A page. ``fields``: its form's hidden fields; ``buttons``: values by name."""

    url: str
    status: int
    html: str
    fields: dict[str, str]
    buttons: list[tuple[str, str]]


class _Form(HTMLParser):
    """Finds the fields and buttons of the only form there is."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a field or a button."""
        given = {name: value or "" for name, value in attrs}
        if tag == "input":
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            self.buttons.append((given["name"], given["value"]))


class Browser:
    """Keeps its cookies from page to page."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, url: str, data: dict[str, str] | None = None) -> Page:
        """Return the page of a URL, whatever its status."""
        body = None if data is None else urlencode(data).encode()
        try:
            answer = self._opener.open(url, body, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            html = answer.read().decode()
        form = _Form(html)
        return Page(answer.url, answer.status, html, form.fields, form.buttons)

    def press(self, page: Page, value: str) -> Page:
        """Press the button that has a value, and return the page that comes."""
        [name] = [name for name, pressed in page.buttons if pressed == value]
        return self.open(urljoin(page.url, ""), {**page.fields, name: value})
