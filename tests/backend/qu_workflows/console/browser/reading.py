"""A page in headless Chromium: opened, judged by axe-core, and kept as a picture."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from qu_workflows.console.access import Right
from tests.backend.people import make_user

SCREENS = Path(__file__).parents[5] / ".local" / "screens"
WIDTHS = (360, 1440)
HEIGHT = 900
SCHEMES = ("light", "dark")
PATIENCE_MS = 15_000
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_axe = Axe()


def make_operator(*rights: Right, name: str = "operator") -> User:
    """Return a member of staff with these rights of the console; with none given, all."""
    user = make_user(name, is_staff=True)
    for right in rights or tuple(Right):
        app, _dot, codename = right.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


@dataclass
class Browsing:
    """A browser with one signed-in user. ``errors`` are those of its console."""

    context: BrowserContext
    page: Page
    address: str
    errors: list[str]

    def open(self, path: str) -> Page:
        """Open a page of the site."""
        response = self.page.goto(f"{self.address}{path}")
        assert response is not None
        assert response.status < 500, f"{path}: {response.status}"
        return self.page

    def text(self) -> str:
        """Return what the page's main part says."""
        return self.page.locator("main").inner_text()


def sign_in(
    browser: Browser, address: str, user: User, *, width: int = 1440, scheme: str = "light", scripts: bool = True
) -> Browsing:
    """Return a browser with a signed-in user."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": address}])
    page, errors = context.new_page(), list[str]()
    page.on("console", lambda message: errors.append(_said(message)) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return Browsing(context, page, address, errors)


def _said(message: ConsoleMessage) -> str:
    return f"{message.text} ({message.location.get('url', '')})"


def violations(page: Page) -> list[str]:
    """Return the WCAG A and AA violations of axe-core, one line for each rule."""
    found: dict[str, Any] = _axe.run(
        page, options={"runOnly": {"type": "tag", "values": _TAGS}, "resultTypes": ["violations"]}
    ).response
    return [
        f"{one['id']}: {one['help']}: "
        + "; ".join(f"{node['target'][0]} {node['html'][:160]} {_why(node)}" for node in one["nodes"][:4])
        for one in found["violations"]
    ]


def _why(node: dict[str, Any]) -> str:
    checks = [*node["any"], *node["all"], *node["none"]]
    return json.dumps([check["message"] for check in checks][:2])


def overflow(page: Page) -> list[str]:
    """Return elements wider than the page, outside of scrollable boxes."""
    out: list[str] = page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= wide) return [];
          return [...document.querySelectorAll("body *")]
            .filter((one) => one.getBoundingClientRect().right > wide + 1 && !one.closest(".table-wrap, pre, .graph"))
            .map((one) => `${one.tagName}.${one.getAttribute("class") || ""}`).slice(0, 8).concat(["page"]);
        }"""
    )
    return out


def keep_pictures_for_readme(browsing: Browsing, paths: Mapping[str, str]) -> None:
    """Keep what a desk shows of some pages in ``.local/screens/readme-<name>.png``."""
    browsing.page.set_viewport_size({"width": 1280, "height": HEIGHT})
    for name, path in paths.items():
        browsing.open(path).screenshot(path=SCREENS / f"readme-{name}.png")


def keep_picture(page: Page, name: str) -> Path:
    """Keep the whole page in ``.local/screens/<name>.png``."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    path = SCREENS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
