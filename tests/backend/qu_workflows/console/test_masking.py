"""Masking of secrets and personal data in payloads of every form."""

import json
from time import perf_counter
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from qu_workflows.console import masking
from qu_workflows.console.checks import check_masked_keys
from qu_workflows.console.masking import MASK, mask, payload_text

SECRET = "s3cr3t4711"
MASKED_KEYS = ["password", "task_token", "taskToken", "X-Access-Token", "email", "Authorization", "userEmailAddress"]
OTHER_KEYS = ["report_id", "state", "name", "emails", "tokenizer", "häuser", "a b", "Value", "$.x"]

texts = st.text("aZ9_-. \"'\\{}[]():,=&?/@•é漢\n\ud800", max_size=12)
keys = st.text("aZ9_ é漢[", max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=10
)


@st.composite
def payloads_with_a_secret(draw: st.DrawFn) -> Any:
    """Return a payload with a nested SECRET under a masked key."""
    hidden: Any = draw(st.sampled_from([SECRET, [SECRET, None], {"inner": SECRET}, {SECRET: 1}, f"{SECRET} and more"]))
    value: Any = {draw(st.sampled_from(MASKED_KEYS)): hidden}
    for wrap in draw(st.lists(st.sampled_from(["object", "list", "text", "indented"]), max_size=6)):
        if wrap == "object":
            value = draw(st.dictionaries(keys, scalars, max_size=2)) | {draw(st.sampled_from(OTHER_KEYS)): value}
        elif wrap == "list":
            value = [*draw(st.lists(scalars, max_size=2)), value]
        else:
            value = json.dumps(value, indent=1 if wrap == "indented" else None)
    return value


def shape_of(value: Any) -> Any:
    """Return a value's structure, with that of the texts of JSON in it."""
    if isinstance(value, dict):
        return {key: shape_of(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return shape_of(json.loads(value))
        except ValueError:
            return str
    return type(value)


@given(payloads_with_a_secret())
def test_no_masked_value_is_left_in_what_is_shown(payload: Any) -> None:
    masked = mask(payload)

    assert SECRET not in json.dumps(masked, ensure_ascii=False)
    assert SECRET not in payload_text(payload)
    assert MASK in payload_text(payload)


@given(payloads_with_a_secret(), st.data())
def test_truncated_texts_contain_no_part_of_a_secret(payload: Any, data: st.DataObject) -> None:
    text = json.dumps(payload)

    shown = payload_text(text[: data.draw(st.integers(0, len(text)))])

    assert "s3cr3" not in shown


@given(json_values | payloads_with_a_secret())
def test_masking_twice_gives_the_same(payload: Any) -> None:
    masked = mask(payload)

    assert mask(masked) == masked


@given(st.recursive(st.integers() | st.none(), lambda inner: st.dictionaries(st.sampled_from(OTHER_KEYS), inner)))
def test_what_is_not_secret_stays_as_it_was(payload: Any) -> None:
    assert mask(payload) == payload
    assert mask(json.dumps(payload)) == json.dumps(payload)


@given(payloads_with_a_secret())
def test_the_structure_around_a_masked_value_stays(payload: Any) -> None:
    def emptied(value: Any) -> Any:
        """Replace what a masked key holds by a text, the type that MASK is."""
        if isinstance(value, dict):
            return {key: _plain(item) if key in MASKED_KEYS else emptied(item) for key, item in value.items()}
        if isinstance(value, list):
            return [emptied(item) for item in value]
        if isinstance(value, str) and SECRET in value:
            return json.dumps(emptied(json.loads(value)))
        return value

    assert shape_of(mask(payload)) == shape_of(emptied(payload))


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list) else value if value is None else ""


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"Login failed (user=sam, password='{SECRET}')",
        f"{{'password': '{SECRET}'}}",
        f'{{"a": {{"password": "{SECRET}',
        f'cause: {{\\"password\\": \\"{SECRET}\\"}}',
        f"Authorization: Bearer {SECRET}",
        f"Cookie: sessionid={SECRET}; a={SECRET}",
        f"curl -H 'Accept: x' --header=Bearer {SECRET}",
        f"https://files.example.com/a?X-Amz-Signature={SECRET}&X-Amz-Date=2026",
        f"https://files.example.com/a?y=1&token={SECRET}#top",
        f"postgres://qu:{SECRET}@db.example.com:5432/qu",
        f"/incidents/{SECRET}:1vNabc:{SECRET}{SECRET}{SECRET}/",
        f"eyJhbGciOi.{SECRET}.{SECRET}",
        f"the key AKIA{SECRET.upper()}ABCDEF is no longer valid",
        f"Email address is not verified: {SECRET}@example.com",
        f"token: {{'value': {SECRET}}}",
        f'{{"password": "{SECRET}", "password": null}}',
        f'"{{\\"password\\": \\"{SECRET}\\"}}"',
    ],
)
def test_secrets_in_other_texts_are_masked(text: str) -> None:
    shown = payload_text(text)

    assert SECRET.lower() not in shown.lower()


@pytest.mark.parametrize(
    "text",
    [
        "Make Thumbnails failed after 3 tries: see https://example.com/a?x=1&y=2",
        "KeyError: 'report_id'",
        "tokenizer=fast, passwordless: yes",
        "at 12:30:05 the lock was taken (id=7)",
        "arn:aws:states:us-east-2:123456789012:execution:guard_report:019ab",
    ],
)
def test_texts_without_secrets_stay_as_they_were(text: str) -> None:
    assert mask(text) == text


def test_pairs_of_names_and_values_are_masked_by_their_name() -> None:
    headers = [{"Name": "Authorization", "Value": SECRET}, {"Name": "Accept", "Value": "text/html"}]

    assert mask(headers) == [{"Name": "Authorization", "Value": MASK}, {"Name": "Accept", "Value": "text/html"}]


SPELLINGS = """
password passwords passwd passphrase passcode pwd pin otp password1 password2 new_password newPassword oldPassword
dbpassword db_password dbPassword DB_PASSWORD user-pwd userpwd secret client_secret clientSecret clientsecret
token tokens task_token taskToken authtoken auth_token access_token refresh_token id_token csrftoken csrfToken
csrfmiddlewaretoken X-CSRFToken jwt refresh access auth bearer Authorization Proxy-Authorization cookie Set-Cookie
sessionid session_id sid credential api_key apiKey apikey X-Api-Key x-api-key myapikey access_key accessKeyId
secret_key SECRET_KEY private_key signing_key encryption_key signature X-Amz-Signature sig nonce connection_string
DATABASE_URL dsn email e_mail userEmail phone phoneNumber telephone tel mobile fax address street postal_code zip_code
first_name firstName last_name full_name surname given_name family_name birth_date birthday dob date_of_birth ssn
passport iban card_number cvv
"""


@pytest.mark.parametrize("key", SPELLINGS.split())
def test_each_spelling_of_a_secret_is_masked_in_each_form(key: str) -> None:
    forms: list[Any] = [
        {key: SECRET},
        [[key, SECRET]],
        {"name": key, "value": SECRET},
        json.dumps({key: SECRET}),
        f"{key}={SECRET}",
        f"<r><{key}>{SECRET}</{key}></r>",
        f'<a:{key} type="text">{SECRET}</a:{key}>',
    ]

    for form in forms:
        assert SECRET not in payload_text(form), form


@pytest.mark.parametrize(
    "key", ["access_level", "author", "pins", "session", "emails", "report_id", "compass", "pinned"]
)
def test_keys_that_only_look_alike_are_shown(key: str) -> None:
    assert mask({key: SECRET}) == {key: SECRET}


def test_our_own_keys_and_links_are_masked_without_a_key() -> None:
    api_key = f"1a2b3c4d.{'aZ9_-xyz' * 5}abc"
    link = "/incidents/WzEwNyw%3A1vNabc%3Axyz-SIGNATURE-of-a-link_0123456789abcdef"

    shown = payload_text(f"sent {api_key} to https://example.com{link}/")

    assert api_key not in shown
    assert "SIGNATURE" not in shown


def test_keys_that_are_addresses_are_masked_and_stay_apart() -> None:
    assert mask({"sam@example.com": 1, "pat@example.com": 2}) == {MASK: 1, f"{MASK} 2": 2}


def test_nothing_and_yes_or_no_under_a_masked_key_stay() -> None:
    given_values = {"token": None, "email": "", "password": False, "phone": 5}

    assert mask(given_values) == given_values | {"phone": MASK}


def test_which_keys_are_masked_is_a_setting(settings: Settings) -> None:
    settings.CONSOLE_MASKED_KEYS = ["badge", "*_number"]
    payload = {"badge": 1, "guardBadge": 2, "case_number": 3, "number": 4, "token": 5, "by": "sam@example.com"}

    assert mask(payload) == payload | {"badge": MASK, "guardBadge": MASK, "case_number": MASK}


def test_too_deeply_nested_values_are_hidden() -> None:
    value: Any = {"password": SECRET}
    for _level in range(200):
        value = [value]

    assert SECRET not in json.dumps(mask(value))
    assert SECRET not in payload_text("[" * 5000 + f'{{"password": "{SECRET}"}}' + "]" * 5000)


def test_a_long_payload_is_cut_with_a_sign() -> None:
    shown = payload_text({"note": "x" * 100}, most=50)

    assert len(shown) < 100
    assert shown.endswith("… (66 characters more)")


def test_half_a_character_does_not_break_the_page() -> None:
    for payload in ('{"a": "\\ud800", "password": 1}', "\ud800", {"\ud800": "\ud800"}):
        payload_text(payload).encode()


def test_a_payload_is_never_html() -> None:
    template = Template('{% load console %}{% payload value "Input" %}')

    html = template.render(Context({"value": {"note": "</pre><script>alert(1)</script>", "password": SECRET}}))

    assert "<script" not in html
    assert SECRET not in html
    assert html.count("<") == 2


@pytest.mark.parametrize(
    "text",
    [
        "a" * 262_144,
        "a-" * 131_072,
        "a.b@" * 65_536,
        "token=" * 43_690,
        "token='" * 37_449,
        "token: " + "\\" * 262_000,
        '"' * 262_144,
        '{"a":' * 52_428,
        "a://" * 65_536,
        "a:" * 131_072,
        "eyJaaaaa." * 29_127,
        "<a>" * 87_381,
        "<a:" * 87_381,
    ],
    ids=lambda text: text[:8],
)
def test_the_largest_payload_is_masked_in_time_whatever_it_says(text: str) -> None:
    begin = perf_counter()

    mask(text)

    assert perf_counter() - begin < 3  # some tenths; what grows with the square takes minutes


def found(settings: Settings, patterns: list[str]) -> list[CheckMessage]:
    settings.CONSOLE_MASKED_KEYS = patterns
    return check_masked_keys()


def test_a_text_that_comes_again_and_again_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read, as_it_is = [], masking._read
    monkeypatch.setattr(masking, "_read", lambda text: read.append(text) or as_it_is(text))  # type: ignore[func-returns-value]
    event = {"input": json.dumps({"password": SECRET, "report": 7}), "state": "Load Report"}

    masked = mask([event] * 1000)

    assert (
        masked
        == [{"input": json.dumps({"password": MASK, "report": 7}, ensure_ascii=False), "state": "Load Report"}] * 1000
    )
    assert read.count(event["input"]) == read.count("Load Report") == read.count("state") == 1


def test_the_usual_keys_are_in_order() -> None:
    assert check_masked_keys() == []


@pytest.mark.parametrize("pattern", ["*", "Token", "task-token", "[a", "a b", "?*"])
def test_an_invalid_pattern_is_reported(settings: Settings, pattern: str) -> None:
    messages = found(settings, ["password", "secret", "token", "authorization", pattern])

    assert [message.id for message in messages] == ["console.E001"]
    assert repr(pattern) in messages[0].msg


def test_a_setting_without_passwords_is_reported(settings: Settings) -> None:
    messages = found(settings, ["email", "secret", "*token*"])

    assert [message.id for message in messages] == ["console.W001"]
    assert "password, authorization" in messages[0].msg
