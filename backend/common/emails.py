"""Mails made of the templates below ``emails/``: HTML, and a text for who reads no HTML."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.utils import translation

from common.html_text import text_of
from core.models import language_of
from workflows.contracts.notification_email import EmailDocument, InlineImage, NotificationEmailInput
from workflows.errors import RecipientNotFound, TemplateInvalid

TEMPLATES_FOLDER = "emails/"


def notification_email(notification: NotificationEmailInput) -> EmailDocument:
    """Return the mail of a ``send_notification_email`` task, in the language of its reader.

    Raises RecipientNotFound, and TemplateInvalid when the template is missing or does not render.
    """
    reader = reader_of(notification.user_id)
    with translation.override(language_of(reader)):
        context = {"subject": notification.subject, "public_url": settings.PUBLIC_URL} | notification.context
        return compose(reader, notification.subject, notification.template_name, context)


def reader_of(user_id: int) -> User:
    """Return the user to write to. Raises RecipientNotFound for one who can or should get no mail."""
    user = User.objects.select_related("profile").filter(pk=user_id).first()
    problem = "does not exist." if user is None else _unreachable(user)
    if user is None or problem:
        raise RecipientNotFound(f"user {user_id}", problem, "Give the id of an active user with an email address.")
    return user


def compose(
    reader: User, subject: str, template_name: str, context: dict[str, Any], images: list[InlineImage] | None = None
) -> EmailDocument:
    """Return the mail that a template gives, in the active language.

    The text comes from the ``.txt`` beside the template, or else from the HTML. Raises TemplateInvalid.
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
        raise TemplateInvalid(template_name, f"does not lie below {TEMPLATES_FOLDER}.", "Name a template of a mail.")
    try:
        return get_template(template_name).render(context)
    except TemplateDoesNotExist as error:
        remedy = f"Add it below backend/templates/{TEMPLATES_FOLDER}, or correct template_name."
        raise TemplateInvalid(template_name, f"can not be rendered: there is no template {error}.", remedy) from error
    except (TemplateSyntaxError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TemplateInvalid(
            template_name, f"does not render ({error!r}).", "Mend the template, or the context that it is given."
        ) from error


def _unreachable(user: User) -> str:
    if not user.is_active:
        return "is not active."
    return "" if user.email else "has no email address."
