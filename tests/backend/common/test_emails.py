from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from common.emails import compose, notification_email, text_of
from tests.backend.people import make_user
from workflows.contracts.notification_email import NotificationEmailInput
from workflows.errors import RecipientNotFound, TemplateInvalid

pytestmark = pytest.mark.django_db


def notification(user_id: int, **fields: Any) -> NotificationEmailInput:
    given = {"subject": "Welcome!", "template_name": "emails/welcome.html", "context": {"name": "John"}}
    return NotificationEmailInput(user_id=user_id, **given | fields)


@pytest.fixture
def templates(settings: Settings, tmp_path: Path) -> Path:
    (tmp_path / "emails").mkdir()
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], tmp_path]}]
    return tmp_path / "emails"


def test_the_guides_example_renders() -> None:
    user = make_user()

    mail = notification_email(notification(user.pk))

    assert (mail.to, mail.subject, mail.images) == (user.email, "Welcome!", [])
    assert "Welcome, John!" in mail.html
    assert mail.text.startswith("Welcome, John!\n\nYour account at QU Security is ready.")


def test_a_mail_is_in_the_language_of_its_reader() -> None:
    assert "¡Le damos la bienvenida, John!" in notification_email(notification(make_user(language="es").pk)).text


def test_the_context_is_escaped() -> None:
    mail = notification_email(notification(make_user().pk, context={"name": "<b>John</b>"}))

    assert "<b>John" not in mail.html
    assert "Welcome, <b>John</b>!" in mail.text


def test_a_text_beside_the_template_is_taken(templates: Path) -> None:
    (templates / "plain.html").write_text("<p>{{ name }}</p>")
    (templates / "plain.txt").write_text("Only {{ name }}\n")

    mail = notification_email(notification(make_user().pk, template_name="emails/plain.html"))

    assert (mail.html, mail.text) == ("<p>John</p>", "Only John\n")


@pytest.mark.parametrize("source", ["{% nothing %}", "{% extends 'emails/missing.html' %}", "{% widthratio a b c d %}"])
def test_a_template_that_does_not_render_is_an_error(templates: Path, source: str) -> None:
    (templates / "broken.html").write_text(source)

    with pytest.raises(TemplateInvalid, match=r"emails/broken\.html"):
        notification_email(notification(make_user().pk, template_name="emails/broken.html"))


def test_a_template_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TemplateInvalid, match=r"emails/missing\.html.*Add it below backend/templates/emails/"):
        notification_email(notification(make_user().pk, template_name="emails/missing.html"))


@pytest.mark.parametrize("name", ["admin/base_site.html", "emails/../admin/base_site.html", "reports/report.html"])
def test_only_templates_of_mails_are_rendered(name: str) -> None:
    with pytest.raises(TemplateInvalid):
        compose(make_user(), "Subject", name, {})


def test_an_unknown_user_gets_no_mail() -> None:
    with pytest.raises(RecipientNotFound):
        notification_email(notification(10**9))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>lines</p>", "One\n\nTwo\nlines\n"),
        ("<h1>Title</h1><ul><li>a</li><li>b</li></ul>", "Title\n\n- a\n\n- b\n"),
        ('<a href="https://example.com/x">Open</a>', "Open (https://example.com/x)\n"),
        ('<a href="https://example.com/">https://example.com/</a>', "https://example.com/\n"),
        ("<head><title>x</title></head><style>p{}</style><script>y</script>shown", "shown\n"),
        ("  many   \n spaces &amp; signs &lt;b&gt; ", "many spaces & signs <b>\n"),
        ('<img alt="Front door" src="cid:1"><td>cell</td>', "Front door\ncell\n"),
        ("<p>not closed", "not closed\n"),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert text_of(html) == text
