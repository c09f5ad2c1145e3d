"""Jobs beside the requests."""

import threading

import pytest

from qu_workflows.tasks.without_queue import Threads


def test_jobs_are_done_in_other_threads() -> None:
    background, used = Threads(), []

    assert not background.have_begun
    for _ in range(4):
        background.do(lambda: used.append(threading.current_thread()))

    assert background.wait(10)
    assert background.have_begun
    assert len(used) == 4
    assert threading.current_thread() not in used
    assert all(thread.daemon for thread in used)


def test_a_job_that_fails_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    background, done = Threads(), []

    background.do(lambda: 1 / 0)
    background.do(lambda: done.append(1))

    assert background.wait(10)
    assert done == [1]
    assert "ZeroDivisionError" in caplog.text


def test_waiting_ends_with_its_time() -> None:
    background, release = Threads(), threading.Event()
    background.do(release.wait)

    assert not background.wait(0.01)
    release.set()
    assert background.wait(10)


def test_a_long_wait_blocks_neither_jobs_nor_exit() -> None:
    background, release, done = Threads(), threading.Event(), threading.Event()

    for _ in range(5):
        background.do_aside(release.wait)
    background.do(done.set)

    assert done.wait(10)
    assert background.wait(10)
    release.set()


def test_a_job_aside_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    background, failed = Threads(), threading.Event()

    def job() -> None:
        failed.set()
        raise ZeroDivisionError

    background.do_aside(job)

    assert failed.wait(10)
    for thread in threading.enumerate():
        if thread.name == "background-aside":
            thread.join(10)
    assert "ZeroDivisionError" in caplog.text
