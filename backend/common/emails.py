"""Mails from the templates below ``emails/``: HTML with a plain text alternative."""

import re
from html.parser import HTMLParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.utils import translation

from core.models import language_of
from workflows.contracts.notification_email import EmailDocument, InlineImage, NotificationEmailInput
from workflows.errors import RecipientNotFound, TemplateInvalid

TEMPLATES_FOLDER = "emails/"
_SILENT = frozenset({"head", "script", "style", "template", "title"})
_LINES = frozenset({"br", "div", "dd", "dt", "li", "table", "td", "th", "tr"})
_PARAGRAPHS = frozenset({"blockquote", "h1", "h2", "h3", "h4", "ol", "p", "ul"})


def notification_email(notification: NotificationEmailInput) -> EmailDocument:
    """Return the mail of a ``send_notification_email`` task, in its reader's language.

    Raises RecipientNotFound and TemplateInvalid.
    """
    reader = reader_of(notification.user_id)
    with translation.override(language_of(reader)):
        context = {"subject": notification.subject, "public_url": settings.PUBLIC_URL} | notification.context
        return compose(reader, notification.subject, notification.template_name, context)


def reader_of(user_id: int) -> User:
    """Return an active user with an email address. Raises RecipientNotFound."""
    user = User.objects.select_related("profile").filter(pk=user_id).first()
    problem = "does not exist." if user is None else _unreachable(user)
    if user is None or problem:
        raise RecipientNotFound(f"user {user_id}", problem, "Give the id of an active user with an email address.")
    return user


def compose(
    reader: User, subject: str, template_name: str, context: dict[str, Any], images: list[InlineImage] | None = None
) -> EmailDocument:
    """Return the mail of a template, in the active language.

    The text is from the ``.txt`` template of the same name, or else from the HTML. Raises TemplateInvalid.
    """
    html = _render(template_name, context)
    return EmailDocument(
        sender=settings.DEFAULT_FROM_EMAIL,
        to=reader.email,
        subject=subject,
        text=_text(template_name, context, html),
        html=html,
        images=images or [],
    )


def _text(template_name: str, context: dict[str, Any], html: str) -> str:
    try:
        template = get_template(f"{template_name.removesuffix('.html')}.txt")
    except TemplateDoesNotExist:
        return text_of(html)
    return template.render(context).strip() + "\n"


def _render(template_name: str, context: dict[str, Any]) -> str:
    if not template_name.startswith(TEMPLATES_FOLDER) or ".." in template_name:
        raise TemplateInvalid(template_name, f"is not below {TEMPLATES_FOLDER}.", "Use a template of a mail.")
    try:
        return get_template(template_name).render(context)
    except TemplateDoesNotExist as error:
        remedy = f"Add it below backend/templates/{TEMPLATES_FOLDER}, or correct template_name."
        raise TemplateInvalid(template_name, f"cannot be rendered: template {error} does not exist.", remedy) from error
    except (TemplateSyntaxError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        problem = f"cannot be rendered ({error!r})."
        raise TemplateInvalid(template_name, problem, "Fix the template or its context.") from error


def _unreachable(user: User) -> str:
    if not user.is_active:
        return "is not active."
    return "" if user.email else "has no email address."


def text_of(html: str) -> str:
    """Return the visible text of an HTML document: paragraphs, list items, links with their URLs."""
    parser = _TextParser()
    parser.feed(html)
    parser.close()
    lines = [" ".join(line.split()) for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _TextParser(HTMLParser):
    """Collects the visible text, ignoring unknown markup."""

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
