"""Answers are shared, kept during a new read, and block no caller."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from qu_workflows.caching import Cache, Cached
from qu_workflows.protocol.refusals import OperationRefused


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Service:
    """A service that counts reads by key, and raises on demand."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers, self.began = Event(), Event()
        self.answers.set()
        self.error: Exception | None = None

    def read(self, key: str, before: int | None) -> int:
        self.calls.append(key)
        self.began.set()
        assert self.answers.wait(5)
        if self.error:
            raise self.error
        return (before or 0) + 1


def cache_of(service: Service, clock: Callable[[], float], **options: Any) -> Cache[str, int]:
    return Cache("The service", service.read, options.pop("seconds", 10.0), clock=clock, **options)


def test_an_answer_is_read_once_until_it_is_old() -> None:
    service, time = Service(), Time()
    cache = cache_of(service, time)

    assert [cache.get("a").value for _ in range(3)] == [1, 1, 1]
    time.now = 10.0
    assert cache.get("a").value == 2
    assert service.calls == ["a", "a"]


def test_all_who_ask_at_once_share_one_read() -> None:
    service = Service()
    service.answers.clear()
    cache = cache_of(service, Time())

    with ThreadPoolExecutor(8) as people:
        asked = [people.submit(cache.get, "a") for _ in range(8)]
        cache.refresh("a")
        service.answers.set()
        values = [one.result().value for one in asked]

    assert values == [1] * 8
    assert service.calls == ["a"]


def test_who_does_not_wait_is_given_the_previous_answer_and_why() -> None:
    service, time = Service(), Time()
    cache = cache_of(service, time)
    before = cache.get("a")
    service.answers.clear()
    time.now = 10.0

    late = cache.get("a", wait_seconds=0)

    assert (late.value, late.as_of) == (1, before.as_of)
    assert late.unanswered == "The service has not answered yet."
    service.answers.set()
    assert cache.get("a") == Cached(2, cache.get("a").as_of)


def test_a_refusal_keeps_the_previous_answer_and_retries_soon() -> None:
    service, time = Service(), Time()
    cache = cache_of(service, time, retry_seconds=2.0)
    assert cache.get("a").value == 1
    service.error, time.now = OperationRefused("queue", "is gone.", "Make one."), 10.0

    refused = cache.get("a")

    assert (refused.value, refused.unanswered) == (1, "queue: is gone. Make one.")
    service.error, time.now = None, 11.0
    assert cache.get("a") == refused
    time.now = 12.0
    assert cache.get("a").value == 2


def test_an_error_of_ours_is_logged_and_named_but_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    service.error = ZeroDivisionError("secret")

    assert cache_of(service, Time()).get("a") == Cached(None, None, "The service: ZeroDivisionError")
    assert "The service could not be read." in caplog.text


def test_another_version_is_read_again() -> None:
    service = Service()
    cache = cache_of(service, Time())

    assert [cache.get("a", version=number).value for number in (1, 1, 2)] == [1, 1, 2]


def test_how_long_an_answer_is_fresh_may_depend_on_it() -> None:
    service, time = Service(), Time()
    cache = cache_of(service, time, seconds=lambda value: 100.0 if value > 1 else 1.0)
    cache.get("a")
    time.now = 1.0
    cache.get("a")
    time.now = 100.0

    assert cache.get("a").value == 2


def test_a_read_that_began_before_a_change_does_not_count() -> None:
    service = Service()
    cache = cache_of(service, Time())
    cache.get("a")
    cache.expire("a")
    service.answers.clear()
    service.began.clear()
    cache.refresh("a")
    assert service.began.wait(5)
    cache.expire("a")
    service.answers.set()

    assert cache.get("a").value == 2
    assert len(service.calls) == 3


def test_what_is_cleared_is_unknown() -> None:
    service = Service()
    cache = cache_of(service, Time())
    cache.get("a")
    cache.clear()
    service.answers.clear()

    assert cache.get("a", wait_seconds=0).value is None
    service.answers.set()


def test_above_its_capacity_the_least_recently_used_keys_are_dropped() -> None:
    service = Service()
    cache = cache_of(service, Time(), weigh=lambda _value: 10, capacity=25)
    for key in ("a", "b", "a", "c"):
        cache.get(key)
    service.calls.clear()

    for key in ("a", "c", "b"):
        cache.get(key)

    assert service.calls == ["b"]
