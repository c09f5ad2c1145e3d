"""The language in which a person is written to."""

import pytest
from django.contrib.auth.models import User

from core.models import Profile, language_of


@pytest.mark.django_db
def test_a_person_without_a_profile_has_the_default_language() -> None:
    User.objects.create_user("one")

    assert language_of(User.objects.get(username="one")) == "en"
    assert language_of(User.objects.select_related("profile").get(username="one")) == "en"


@pytest.mark.django_db
def test_a_person_with_a_profile_is_written_to_in_its_language() -> None:
    Profile.objects.create(user=User.objects.create_user("one"), language="es")

    assert language_of(User.objects.get(username="one")) == "es"
    assert language_of(User.objects.select_related("profile").get(username="one")) == "es"
