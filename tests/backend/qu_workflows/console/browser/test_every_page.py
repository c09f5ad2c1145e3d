"""Every page of the console: accessibility, width and errors, in light and dark.

Screenshots are in ``.local/screens/``, for people to inspect.
"""

import os
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from qu_workflows.console.access import Right
from tests.backend.qu_workflows.console.browser.conftest import Site
from tests.backend.qu_workflows.console.browser.reading import (
    HEIGHT,
    SCHEMES,
    SCREENS,
    WIDTHS,
    Browsing,
    keep_picture,
    keep_pictures_for_readme,
    make_operator,
    overflow,
    sign_in,
    violations,
)

FOCUSED = f"?state={quote('Record Report')}"
# A picture and axe-core take seconds: each width and each scheme once, and all of them for `make screens`.
JUDGED = {(WIDTHS[0], "light"), (WIDTHS[-1], "dark")}
LOOKED_AT = {(width, scheme) for width in WIDTHS for scheme in SCHEMES} if "ALL_SCREENS" in os.environ else JUDGED
SECTIONS: dict[str, dict[str, Callable[[Site], str]]] = {
    "overview": {"overview": lambda _site: "/console/"},
    "tasks": {
        "tasks": lambda _site: "/console/tasks/",
        "tasks-failed": lambda _site: "/console/tasks/?status=FAILED",
        "tasks-none": lambda _site: "/console/tasks/?q=no-such-thing-anywhere",
    },
    "execution": {
        "execution-failed": lambda site: f"/console/tasks/{site.day.failed.pk}/",
        "execution-state": lambda site: f"/console/tasks/{site.day.failed.pk}/{FOCUSED}",
        "execution-map": lambda site: f"/console/tasks/{site.day.succeeded.pk}/?state={quote('Make Thumbnails')}",
        "execution-table": lambda site: f"/console/tasks/{site.day.succeeded.pk}/?view=table",
        "execution-events": lambda site: f"/console/tasks/{site.day.failed.pk}/?view=events",
        "execution-input": lambda site: f"/console/tasks/{site.day.failed.pk}/?view=input",
    },
    "executions": {
        "execution-running": lambda site: f"/console/tasks/{site.day.running.pk}/",
        "execution-caught": lambda site: f"/console/tasks/{site.day.caught.pk}/",
        "execution-markup": lambda site: f"/console/tasks/{site.day.markup.pk}/",
        "not-found": lambda _site: "/console/tasks/no-such-task/",
    },
    "machines": {
        "machines": lambda _site: "/console/machines/",
        "machine": lambda _site: "/console/machines/guard_report/",
    },
    "dead letters": {
        "dead-letters": lambda _site: "/console/dead-letters/",
        "dead-letter": lambda site: f"/console/dead-letters/{site.letters[2]}/",
    },
    "schedules": {
        "schedules": lambda _site: "/console/schedules/",
        "schedule": lambda _site: "/console/schedules/watch_stuck/",
    },
    "audit": {"audit": lambda _site: "/console/audit/"},
    "patterns": {"patterns": lambda _site: "/console/patterns/"},
}


@pytest.mark.parametrize("section", SECTIONS)
def test_pages_are_accessible_in_light_and_dark_at_every_width(section: str, site: Site, browser: Browser) -> None:
    found: list[str] = []
    for scheme in SCHEMES:
        browsing = sign_in(browser, site.url, site.operator, scheme=scheme)
        for name, address in SECTIONS[section].items():
            found += [f"{name}, {scheme}, {one}" for one in _looked_at(browsing, name, address(site), scheme)]
        browsing.context.close()

    assert not found, "\n".join(found)


def test_the_pictures_of_the_readme_are_made(site: Site, browser: Browser) -> None:
    browsing = sign_in(browser, site.url, site.operator)
    graph = f"/console/tasks/{site.day.failed.pk}/#live"

    keep_pictures_for_readme(browsing, {"overview": "/console/#day", "execution": graph})

    assert all((SCREENS / f"readme-{name}.png").stat().st_size for name in ("overview", "execution"))
    browsing.context.close()


def test_a_viewer_is_offered_no_action(site: Site, browser: Browser) -> None:
    browsing = sign_in(browser, site.url, make_operator(Right.VIEW, name="viewer"))
    offered = []
    for section in SECTIONS.keys() - {"patterns"}:
        for name, address in SECTIONS[section].items():
            page = browsing.open(address(site))
            offered += [name] * page.locator("main form[method=post] button").count()
    browsing.context.close()

    assert offered == []


def _looked_at(browsing: Browsing, name: str, path: str, scheme: str) -> list[str]:
    """Return the faults of a page: accessibility, width, and user input as markup."""
    browsing.errors.clear()
    page, found = browsing.open(path), []
    for width in (width for width in WIDTHS if (width, scheme) in LOOKED_AT):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        keep_picture(page, f"{name}-{width}-{scheme}")
        found += [f"{width} px: it is wider than the page: {one}" for one in overflow(page)]
        if (width, scheme) in JUDGED:
            found += [f"{width} px: {one}" for one in violations(page)]
    if page.locator("main img[onerror], main script").count() or page.title() == "1":
        found.append("user input became markup")
    refused = "Failed to load resource: the server responded with a status of 404"
    return found + [f"the browser says: {error}" for error in browsing.errors if not error.startswith(refused)]
