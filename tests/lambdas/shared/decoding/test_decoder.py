"""A decoder process does its work, and its failures never reach the function."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from lambdas.shared.decoding.child_process import ProcessNotStarted
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import MIB, Decoded, Limits
from lambdas.shared.decoding.receiving import IN_MEMORY_BYTES, receive
from workflows.errors import (
    DecoderCrashed,
    DecoderOutOfMemory,
    DecoderTimedOut,
    FileRejected,
    UnreadableImage,
)

ODD_JOBS = "tests.lambdas.shared.decoding.odd_jobs"
KEY = "media/door.jpg"
QUICK = Limits(decoder_seconds=1, decoder_memory_mib=192)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(ODD_JOBS)
    yield decoder
    decoder.close()


def run(
    decoder: Decoder, job: str, data: bytes = b"a file", limits: Limits = QUICK, given: Mapping[str, Any] | None = None
) -> Decoded:
    with receive(KEY, [data], 1024 * MIB) as received:
        return decoder.run(received, KEY, "image/jpeg", limits, {"job": job, **(given or {})})


def pid_of(decoder: Decoder, limits: Limits = QUICK) -> int:
    pid: int = run(decoder, "read", limits=limits).answer["pid"]
    return pid


def test_a_job_reads_the_file_and_returns_an_answer_and_files(decoder: Decoder) -> None:
    done = run(decoder, "read", b"some bytes", given={"sizes": ["small"]})

    assert {name: done.answer[name] for name in ("same", "size", "key", "type", "given", "seconds")} == {
        "same": True, "size": 10, "key": KEY, "type": "image/jpeg", "seconds": 1,
        "given": {"job": "read", "sizes": ["small"]},
    }  # fmt: skip
    assert done.files == [b"some bytes", b"", b"!"]
    assert decoder.last_peak_bytes > MIB


def test_a_large_file_is_read_from_disk(decoder: Decoder) -> None:
    data = os.urandom(IN_MEMORY_BYTES + 5)

    assert run(decoder, "read", data, Limits()).files[0] == data


def test_a_process_is_reused_for_the_next_file(decoder: Decoder) -> None:
    first = pid_of(decoder)
    with pytest.raises(UnreadableImage):
        run(decoder, "reject")

    assert pid_of(decoder) == first


def test_a_rejection_is_raised_unchanged(decoder: Decoder) -> None:
    with pytest.raises(UnreadableImage) as caught:
        run(decoder, "reject")

    assert (caught.value.where, caught.value.problem, caught.value.remedy) == (KEY, "is cut off.", "Upload it again.")


@pytest.mark.parametrize(
    ("job", "error", "words"),
    [
        ("crash", DecoderCrashed, "SIGSEGV"),
        ("abort", DecoderCrashed, "SIGABRT"),
        ("exit_early", DecoderCrashed, "exit code 3"),
        ("leave", DecoderCrashed, "exit code 0"),
        ("fail", DecoderCrashed, "ZeroDivisionError"),
        ("no_such_job", DecoderCrashed, "KeyError"),
        ("sleep", DecoderTimedOut, "within 1 seconds"),
        ("spin", DecoderTimedOut, "within 1 seconds"),
        ("hold_the_lock_and_ignore_signals", DecoderTimedOut, "within 1 seconds"),
        ("be_killed", DecoderOutOfMemory, "192 MiB"),
        ("abort_out_of_memory", DecoderOutOfMemory, "192 MiB"),
        ("reject_out_of_memory", DecoderOutOfMemory, "192 MiB"),
        ("allocate_in_python", DecoderOutOfMemory, "192 MiB"),
        ("allocate_in_c", DecoderOutOfMemory, "192 MiB"),
        ("allocate_without_a_limit", DecoderOutOfMemory, "192 MiB"),
    ],
)
def test_a_failed_decoder_refuses_its_file_and_the_next_is_read(
    decoder: Decoder, job: str, error: type[FileRejected], words: str
) -> None:
    before = pid_of(decoder)

    with pytest.raises(error, match=words) as caught:
        run(decoder, job)

    assert type(caught.value) is error
    assert caught.value.where == KEY
    assert pid_of(decoder) != before
    assert not psutil.pid_exists(before)  # nor is it a zombie


def head(text_bytes: int, files_bytes: int) -> str:
    return (text_bytes.to_bytes(4, "big") + files_bytes.to_bytes(4, "big")).decode("latin-1")


def frame(text: str, files: str = "") -> str:
    return head(len(text), len(files)) + text + files


@pytest.mark.parametrize(
    "sent",
    [
        {"text": head(2**32 - 1, 0), "endless": True},
        {"text": head(10, 2**32 - 1), "endless": True},
        {"text": "garbage" * 1000, "endless": True},
        {"text": frame("[" * 100_000)},
        {"text": frame("[]")},
        {"text": frame("{}")},
        {"text": frame('{"files": []}')},
        {"text": frame('{"files": [5]}', "four")},
        {"text": frame('{"files": [-4, 8]}', "four")},
        {"text": frame('{"files": [true]}', "1")},
        {"text": frame('{"files": [], "answer": {"duration": 1e999}}')},
        {"text": frame('{"files": [], "answer": {"duration": NaN}}')},
        {"text": frame('{"files": [], "answer": {"camera": "\\ud800"}}')},
        *(
            {"text": frame('{"files": [], "answer": ' + "[" * deep + "]" * deep + "}")}
            for deep in (2_000, 5_000, 50_000)
        ),
        {"text": frame('{"files": [], "answer": []}')},
        {"text": frame('{"files": [], "rejection": {"name": "StepError", "problem": "", "remedy": ""}}')},
        {"text": frame('{"files": [], "rejection": {"name": 5, "problem": "", "remedy": ""}}')},
        {"text": frame('{"files": [], "failure": ["long"], "text": {}}')},
        {"text": frame('{"files": [], "answer": {}}')},
        {"text": frame('{"files": [], "answer": {}, "peak_bytes": 5}') * 2},
    ],
)
def test_invalid_answers_are_refused(decoder: Decoder, sent: dict[str, Any]) -> None:
    with pytest.raises(DecoderCrashed):
        run(decoder, "send", given=sent)


def test_an_incomplete_answer_times_out(decoder: Decoder) -> None:
    with pytest.raises(DecoderTimedOut):
        run(decoder, "send", given={"text": head(100, 0) + "{"})


def test_the_text_of_a_rejection_is_one_short_printable_line(decoder: Decoder) -> None:
    said = '{"name": "UnreadablePdf", "problem": "a\\n\\u001b[31mb' + "x" * 5000 + '", "remedy": ""}'

    with pytest.raises(FileRejected) as caught:
        run(decoder, "send", given={"text": frame('{"files": [], "rejection": ' + said + "}")})

    assert caught.value.problem.startswith("a [31mbxx")
    assert len(caught.value.problem) == 500
    decoder.close()  # its process still sleeps


def test_a_file_is_not_refused_for_a_process_damaged_earlier(decoder: Decoder) -> None:
    run(decoder, "damage_the_process")

    assert run(decoder, "crash_if_damaged").answer == {}


@pytest.mark.parametrize("given", [{"answer": {"a": "x" * 300_000}}, {"answer": {}, "lengths": [1] * 65}])
def test_an_answer_that_is_too_large_is_a_failure(decoder: Decoder, given: dict[str, Any]) -> None:
    with pytest.raises(DecoderCrashed, match="ValueError"):
        run(decoder, "answer", given=given)


def test_large_files_are_returned(decoder: Decoder) -> None:
    assert [len(file) for file in run(decoder, "answer", given={"answer": {}, "lengths": [5 * MIB, 7]}).files] == [
        5 * MIB, 7,
    ]  # fmt: skip


def test_output_of_libraries_does_not_block_a_job(decoder: Decoder) -> None:
    run(decoder, "print_a_lot")


def test_output_of_libraries_is_logged_when_the_process_ends(
    decoder: Decoder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(DecoderOutOfMemory):
        run(decoder, "abort_out_of_memory")

    assert f"SIGABRT at {KEY}: terminate called after" in caplog.text


def test_the_process_has_no_secrets_and_few_rights(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DATABASE_URL", "DJANGO_SECRET_KEY", "SENTRY_DSN"):
        monkeypatch.setenv(name, "secret")
    decoder.close()

    report = run(decoder, "report_environment").answer

    assert set(report["environment"]) <= {
        "PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS",
        "VIPS_BLOCK_UNTRUSTED", "VIPS_CONCURRENCY", "VIPS_DISC_THRESHOLD",
    }  # fmt: skip
    assert report["limits"] == {"DATA": 192 * MIB, "CORE": 0, "FSIZE": 0}
    assert report["descriptors"] <= 7  # standard ones, the socket, the file, the folder being listed
    assert not report["can_change"]
    assert not report["can_write"]
    assert report["session"] != os.getsid(0)


def test_the_peak_is_that_of_one_file(decoder: Decoder) -> None:
    large = run(decoder, "use_and_give_back", given={"mib": 60})
    peak_of_large = decoder.last_peak_bytes
    small = run(decoder, "read")

    assert large.answer["pid"] == small.answer["pid"]
    assert peak_of_large > 60 * MIB > decoder.last_peak_bytes


def test_a_process_that_has_grown_is_replaced(decoder: Decoder) -> None:
    limits = Limits(decoder_memory_mib=600)
    grown = run(decoder, "grow", given={"mib": 300}, limits=limits).answer["pid"]

    assert pid_of(decoder, limits) != grown


def test_a_process_has_the_memory_limit_of_its_job(decoder: Decoder) -> None:
    assert pid_of(decoder, Limits(decoder_memory_mib=300)) != pid_of(decoder, Limits(decoder_memory_mib=301))


def test_a_process_that_died_between_two_files_is_replaced(decoder: Decoder) -> None:
    pid = pid_of(decoder)
    os.kill(pid, signal.SIGKILL)
    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)

    assert run(decoder, "read").files[0] == b"a file"


def test_threads_share_processes(decoder: Decoder) -> None:
    files: dict[int, bytes] = {}
    failures: list[int] = []

    def work(number: int) -> None:
        try:
            files[number] = bytes(run(decoder, "read", str(number).encode()).files[0])
            if number % 3 == 0:
                run(decoder, "exit_early")
        except DecoderCrashed:
            failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert files == {number: str(number).encode() for number in range(9)}
    assert sorted(failures) == [0, 3, 6]
    assert len(decoder._idle) <= (os.cpu_count() or 1)


def test_a_prepared_process_is_used() -> None:
    decoder = Decoder(ODD_JOBS)
    decoder.prepare(QUICK)
    decoder.prepare(QUICK)
    [child] = decoder._idle

    pid_of(decoder)

    assert decoder._idle == [child]
    decoder.close()
    decoder.close()


def test_a_decoder_that_cannot_start_refuses_no_file() -> None:
    decoder = Decoder("tests.lambdas.shared.decoding.no_such_module")

    with pytest.raises(ProcessNotStarted, match="No module named"):
        run(decoder, "read")
    assert decoder._idle == []


PARENT = """
import os, sys, threading, time
sys.path[:0] = sys.argv[2:]
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Limits
from lambdas.shared.decoding.receiving import receive
decoder = Decoder("tests.lambdas.shared.decoding.odd_jobs")
with receive("key", [b"bytes"], 100) as received:
    # The end of a thread ends no process.
    first = threading.Thread(target=decoder.run, args=(received, "key", "a/b", Limits(), {"job": "read"}))
    first.start(); first.join()
    print(decoder.run(received, "key", "a/b", Limits(), {"job": "read"}).answer["pid"], flush=True)
    if sys.argv[1] == "fork":
        child = os.fork()
        if not child:
            other = decoder.run(received, "key", "a/b", Limits(), {"job": "read"}).answer["pid"]
            decoder.close()
            os._exit(0 if other else 1)
        assert os.waitpid(child, 0)[1] == 0
        print(decoder.run(received, "key", "a/b", Limits(), {"job": "read"}).answer["pid"], flush=True)
    elif sys.argv[1] == "idle":
        time.sleep(60)
    elif sys.argv[1] != "end":
        decoder.run(received, "key", "a/b", Limits(decoder_seconds=60), {"job": sys.argv[1]})
"""


def parent(job: str) -> subprocess.Popen[str]:
    path = [entry for entry in sys.path if entry]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PARENT, job, *path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:  # its new parent may reap it late
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("job", ["idle", "sleep", "hold_the_lock_and_ignore_signals"])
def test_a_decoder_ends_when_its_function_is_killed(job: str) -> None:
    with parent(job) as function:
        assert function.stdout is not None
        pid = int(function.stdout.readline())
        time.sleep(0.2)  # the job has started
        assert psutil.pid_exists(pid)
        function.kill()

    assert is_gone(pid)


@pytest.mark.parametrize("how", ["end", "fork"])
def test_a_decoder_ends_quietly_with_a_function_that_ends(how: str) -> None:
    out, errors = parent(how).communicate(timeout=30)

    assert errors == ""
    assert len(set(out.split())) == 1  # a fork has its own
    assert is_gone(int(out.split()[0]))


def test_a_received_file_in_memory_is_sealed() -> None:
    with receive(KEY, [b"abc"], 10) as received, pytest.raises(PermissionError):
        received.file.write(b"d")
