from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.authentication import find_api_key, issue_api_key, note_use
from core.models import ApiKey

pytestmark = pytest.mark.django_db


def test_a_key_is_found_by_its_text_and_kept_as_a_digest() -> None:
    key, text = issue_api_key("Mobile app", None)

    assert find_api_key(text) == key
    saved = ApiKey.objects.values().get()
    secret = text.partition(".")[2]
    assert text.startswith(f"{saved['prefix']}.")
    assert secret not in str(saved)
    assert len(secret) >= 40


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "a", lambda text: text[:8], str.upper])
def test_a_changed_key_is_not_found(change: Callable[[str], str]) -> None:
    _key, text = issue_api_key("Mobile app", None)

    assert find_api_key(change(text)) is None


def test_of_keys_with_one_prefix_the_right_one_is_found() -> None:
    key, text = issue_api_key("First", None)
    other, other_text = issue_api_key("Second", None)
    ApiKey.objects.update(prefix=key.prefix)

    assert find_api_key(text) == key
    assert find_api_key(other_text) is None  # its text begins otherwise
    assert other.key_hash != key.key_hash


def test_a_key_out_of_use_is_not_found() -> None:
    key, text = issue_api_key("Mobile app", None)
    key.deactivate()

    assert find_api_key(text) is None


def test_the_last_use_is_noted_once_a_minute(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    key, _text = issue_api_key("Mobile app", None)

    note_use(key)
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert timezone.now() - key.last_used_at < timedelta(seconds=30)

    with django_assert_num_queries(0):
        note_use(key)
    key.last_used_at = timezone.now() - timedelta(minutes=2)
    with django_assert_num_queries(1):
        note_use(key)


def test_a_lookup_reads_one_row_by_an_index(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _key, text = issue_api_key("Mobile app", None)

    with connection.cursor() as cursor:
        indexed = connection.introspection.get_constraints(cursor, ApiKey._meta.db_table).values()
    assert any(index["columns"] == ["prefix"] and index["index"] for index in indexed)
    with django_assert_num_queries(1):
        find_api_key(text)
