"""The test of the corpora detects crashes, hangs and missing verdicts."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.corpora import asking
from tests.corpora.asking import Verdict
from tests.corpora.fetching import Corpus, CorpusNotFetched, checked, read_corpora, unpack
from tests.corpora.table import BEGIN, END, in_document, odd_ones

SOME = Corpus("some", "1", "some-1.tar.gz", "0" * 64, ("tests/images",), "pictures")


def verdict(error: str = "", refused_at: str = "", broken: str = "") -> Verdict:
    return Verdict("a.jpg", "image", "image/jpeg", error, 0, 0.1, 1.0, refused_at, broken)


def test_crashes_and_hangs_are_found_and_later_files_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "HANG_SECONDS", 1.0)
    monkeypatch.setattr(asking, "_START_SECONDS", 4.0)
    files = [Path(name) for name in ("good.jpg", "dies.jpg", "unsure.jpg", "hangs.jpg", "last.jpg")]

    answers = asking._ask_all("tests.corpora.stubborn", files)

    faults = [asking._fault(answers[path]) for path in files]
    assert faults[0] == faults[4] == ""
    assert "ended with code 3" in faults[1]
    assert "no verdict" in faults[2]
    assert "no answer within 1 s" in faults[3]


def test_a_refusal_without_a_reason_is_no_verdict() -> None:
    assert asking._fault({"verdict": "rejected", "error": "FileEmpty", "seconds": 0}) != ""
    assert asking._fault({"verdict": "accepted", "seconds": 11}) == "took 11 s"


def test_content_with_another_digest_is_refused() -> None:
    with pytest.raises(CorpusNotFetched, match="some-1"):
        checked(SOME, b"other")


def test_only_regular_files_below_the_folders_are_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "some-1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("some-1/tests/images/a/b.jpg", "some-1/setup.py", "some-1/tests/images/../../../evil"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            tar.addfile(entry, io.BytesIO(b"abcd"))
        link = tarfile.TarInfo("some-1/tests/images/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    unpack(archive, SOME.folders, tmp_path / "files")

    assert [path.relative_to(tmp_path / "files").as_posix() for path in (tmp_path / "files").rglob("*.*")] == [
        "a/b.jpg"
    ]
    assert not (tmp_path / "files" / "link").exists()


def test_every_corpus_is_pinned_once() -> None:
    corpora = read_corpora()

    assert len({corpus.name for corpus in corpora}) == len(corpora) >= 3
    assert all(len(corpus.sha256) == 64 and corpus.version in corpus.file for corpus in corpora)


def test_files_that_stopped_a_decoder_are_listed() -> None:
    verdicts = [
        verdict(),
        verdict("FileEmpty", "inspect_file"),
        verdict("DecoderTimedOut", "inspect_file"),
        verdict("UnreadableImage", "make_thumbnails"),
        verdict(broken="took 12 s"),
    ]

    assert [listed for listed, _ in odd_ones(verdicts)] == verdicts[2:]


def test_the_table_is_written_between_the_marks() -> None:
    assert in_document(f"a {BEGIN} old {END} b", "new\n") == f"a {BEGIN}\n\nnew\n\n{END} b"
