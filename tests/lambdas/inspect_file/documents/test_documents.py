"""Documents other than PDFs: accepted ones, and the refusals of others."""

import bz2
import gzip
import lzma
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from lambdas.inspect_file.documents.documents import inspect_document
from lambdas.shared.decoding.job import Limits
from tests.lambdas.papers import (
    RELATIONS,
    compound_file,
    encrypted_zip,
    media_file,
    nested_zip,
    office,
    open_document,
    overlapping_zip,
    zipped,
)
from workflows.errors import (
    ActiveContent,
    DecompressionBomb,
    FileRejected,
    FileTooLarge,
    UnreadableDocument,
)

LIMITS = Limits(max_unpacked_bytes=4 * 1024 * 1024)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">%s</svg>'
LAUGHS = (
    b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><svg>&c;</svg>'
)
EXTERNAL = (
    b'<Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/%s"'
    b' Target="%s" TargetMode="External"/>'
)


def relation(kind: bytes, target: bytes) -> bytes:
    return office("word", {"word/_rels/settings.xml.rels": RELATIONS % (EXTERNAL % (kind, target))})


PADDING = b"<!--" + b"a" * 70_000 + b"-->"
LOADS = EXTERNAL % (b"attachedTemplate", b"https://example.org/a.dotm")


def relations(content: bytes) -> bytes:
    return office("word", {"word/_rels/settings.xml.rels": content})


def docm(padding: bytes = b"") -> bytes:
    main = b'<Override ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/>'
    return zipped({"[Content_Types].xml": b"<Types>" + padding + main + b"</Types>", "word/document.xml": b"<d/>"})


def xlsb() -> bytes:
    plain = b'<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
    return zipped({"[Content_Types].xml": b"<Types>" + plain + b"</Types>", "xl/workbook.bin": b"a"})


PASSED = [
    ("zip", zipped({"a.txt": b"a", "folder/": b""}), None),
    ("a zip in a zip", nested_zip(2), None),
    ("a zip of a stored pdf", zipped({"a.pdf": b"%PDF-1.4"}, stored=True), None),
    ("docx", office("word"), None),
    ("docx not detected from its head", zipped({"a": bytes(9), "[Content_Types].xml": b"<T/>", "xl/a": b""}), None),
    ("xlsb, whose type says macros and which has none", xlsb(), None),
    ("docx with a picture", office("word", {"word/media/image1.png": b"\x89PNG" + bytes(999)}), None),
    ("docx with a link", relation(b"hyperlink", b"https://example.org/"), None),
    ("docx with a local template", relation(b"attachedTemplate", b"file:///C:\\Normal.dotm"), None),
    ("docx of long parts", office("word", {"word/a.xml": b"<a>" + b"<b/>" * 300_000 + b"</a>"}), None),
    ("docx with an empty part", office("word", {"customXml/item1.xml": b""}), None),
    ("zip of a damaged zip", zipped({"a.zip": zipped({"a": bytes(range(256)) * 9})[:-30]}), None),
    ("zip of what is no office file's relations", zipped({"a.rels": b"no XML", "b.xml": b"nor this"}), None),
    ("odt", open_document(), None),
    ("apk", zipped({"AndroidManifest.xml": b"a", "classes.dex": b"a"}), "application/vnd.android.package-archive"),
    ("doc", compound_file("WordDocument", "1Table"), "application/msword"),
    ("xls", compound_file("Workbook"), "application/vnd.ms-excel"),
    ("msg", compound_file("__properties_version1.0"), "application/vnd.ms-outlook"),
    ("gzip", gzip.compress(b"a" * 999), None),
    ("gzip of two and zeros", gzip.compress(b"a") + gzip.compress(b"b") + bytes(99), None),
    ("bzip2 of two and zeros", bz2.compress(b"a") + bz2.compress(b"b") + bytes(99), None),
    ("xz of two and zeros", lzma.compress(b"a") + lzma.compress(b"b") + bytes(100), None),
    ("svg", SVG % b'<a href="https://example.org/"><rect fill="url(#a)"/></a>', None),
    ("svg of an illustrator", b'<!DOCTYPE svg [<!ENTITY ns "http://ns.adobe.com/svg/">]><svg xmlns:x="&ns;"/>', None),
    ("svg of a text about addresses", SVG % b"<style>a {}</style><text>@import url(https://example.org/)</text>", None),
    ("svg with a picture in it", SVG % b'<image href="data:image/png;base64,AAAA"/>', None),
    ("svg in a gzip", gzip.compress(SVG % b""), "image/svg+xml"),
    ("xml", b"<?xml version='1.0'?><gpx onload='a'/>", None),
    ("html", b"<!DOCTYPE html><p>All quiet; once = 1.</p>", None),
    ("rtf", b"{\\rtf1 a}", None),
    ("text", b"it says <script>, in a text", None),
]

REFUSED = [
    ("docx with macros", office("word", {"word/vbaProject.bin": b"a"}), ActiveContent),
    ("docm by its types", docm(), ActiveContent),
    ("xlsx with old macros", office("xl", {"xl/macrosheets/sheet1.xml": b"<a/>"}), ActiveContent),
    ("docx of a template elsewhere", relation(b"attachedTemplate", b"https://example.org/a.dotm"), ActiveContent),
    ("docx of an object elsewhere", relation(b"oleObject", b"mhtml:https://example.org/a!x"), ActiveContent),
    ("docx of a template elsewhere, far behind", relations(RELATIONS % (PADDING + LOADS)), ActiveContent),
    (
        "docx of a template elsewhere, by another prefix",
        relations((RELATIONS % LOADS).replace(b"<Rel", b"<r:Rel").replace(b"</Rel", b"</r:Rel")),
        ActiveContent,
    ),
    (
        "docx of a template elsewhere, in letters of two bytes",
        relations((RELATIONS % LOADS).decode().encode("utf-16")),
        ActiveContent,
    ),
    (
        "docx of a template elsewhere, spelled in escapes",
        relations(RELATIONS % LOADS.replace(b"s:", b"&#115;:")),
        ActiveContent,
    ),
    ("docx of relations that are cut off", relations((RELATIONS % LOADS)[:60]), UnreadableDocument),
    ("docm by its types, far behind", docm(PADDING), ActiveContent),
    ("zip of a template elsewhere", zipped({"word/_rels/settings.xml.rels": RELATIONS % LOADS}), ActiveContent),
    ("odt with macros", open_document({"Basic/Standard/Module1.xml": b"<m/>"}), ActiveContent),
    ("odt with a script", open_document({"Scripts/python/a.py": b"a"}), ActiveContent),
    ("doc with macros", compound_file("WordDocument", "Macros", "VBA"), ActiveContent),
    ("docx with a password", compound_file("EncryptedPackage", "EncryptionInfo"), UnreadableDocument),
    ("doc, cut off", compound_file("WordDocument")[:1100], UnreadableDocument),
    ("doc, its head alone", compound_file("WordDocument")[:40], UnreadableDocument),
    ("zip, cut off", zipped({"a": bytes(range(256)) * 9})[:-30], UnreadableDocument),
    ("zip, damaged", zipped({"a": b"all quiet"}, stored=True).replace(b"quiet", b"riot!", 1), UnreadableDocument),
    ("zip with a password", encrypted_zip(), UnreadableDocument),
    ("zip with a password in a zip", zipped({"a.zip": encrypted_zip()}), UnreadableDocument),
    ("zip that unpacks to much", zipped({"a": bytes(5 * 1024 * 1024)}), DecompressionBomb),
    ("zip of many parts", zipped({str(n): bytes(1024 * 1024) for n in range(5)}), DecompressionBomb),
    ("zips in zips", nested_zip(6), DecompressionBomb),
    ("a bomb in a zip", zipped({"a.zip": zipped({"a": bytes(5 * 1024 * 1024)})}), DecompressionBomb),
    ("zip within itself", overlapping_zip(), DecompressionBomb),
    ("docx with entities", office("word", {"word/a.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"}), DecompressionBomb),
    (
        "docx with entities far behind",
        office("word", {"word/a.xml": PADDING + b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"}),
        DecompressionBomb,
    ),
    ("gzip that unpacks to much", gzip.compress(bytes(5 * 1024 * 1024)), DecompressionBomb),
    ("gzip with more behind it", gzip.compress(b"a") + b"more", UnreadableDocument),
    ("gzip, cut off", gzip.compress(bytes(range(256)) * 9)[:-12], UnreadableDocument),
    ("svg with a script", SVG % b"<script>alert(1)</script>", ActiveContent),
    ("svg with a script of another name", SVG % b'<s:script xmlns:s="http://www.w3.org/2000/svg"/>', ActiveContent),
    ("svg with a handler", SVG % b'<rect onload="alert(1)"/>', ActiveContent),
    ("svg with a page in it", SVG % b"<foreignObject/>", ActiveContent),
    ("svg with a link that acts", SVG % b'<a xlink:href=" java&#9;script:alert(1)"/>', ActiveContent),
    ("svg that sets a link that acts", SVG % b'<set attributeName="href" to="javascript:alert(1)"/>', ActiveContent),
    ("svg that loads", SVG % b'<image href="https://example.org/a.png"/>', ActiveContent),
    ("svg whose style loads", SVG % b"<style>@import 'https://example.org/a.css';</style>", ActiveContent),
    (
        "svg whose style loads, behind a child",
        SVG % b"<style><a/>@import url(https://example.org/a);</style>",
        ActiveContent,
    ),
    (
        "svg whose style loads, in a child",
        SVG % b"<style><a>@import url(https://example.org/a);</a></style>",
        ActiveContent,
    ),
    (
        "svg whose style loads, in pieces",
        SVG % b"<style>@imp<a/>ort url(https://example.org/a);</style>",
        ActiveContent,
    ),
    ("svg with a page as a link", SVG % b'<use href="data:text/html,a"/>', ActiveContent),
    ("svg that reads a file", b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', ActiveContent),
    ("svg that laughs", LAUGHS, DecompressionBomb),
    ("svg of endless depth", b"<svg>" + b"<g>" * 1001, DecompressionBomb),
    ("svg that says it is huge", b'<svg width="100000" height="100000px"/>', FileTooLarge),
    ("svg, cut off", (SVG % b"<rect/>")[:-3], UnreadableDocument),
    ("svg with a script in a gzip", gzip.compress(SVG % b"<script/>"), ActiveContent),
    ("xml that acts", b"<?xml version='1.0'?><a><b:script xmlns:b='http://www.w3.org/1999/xhtml'/></a>", ActiveContent),
    ("xhtml with a script", b"<?xml version='1.0'?><html><script/></html>", ActiveContent),
    ("html with a script", b"<html><SCRIPT>alert(1)</SCRIPT>", ActiveContent),
    ("html with a handler", b'<html><img src=x alt=">" onerror=alert(1)>', ActiveContent),
    ("html with a frame", b"<html><iframe src='https://example.org'>", ActiveContent),
    ("html in utf-16", "<html><script>a</script>".encode("utf-16"), ActiveContent),
    ("rtf that loads", b"{\\rtf1 {\\object\\objupdate a}}", ActiveContent),
    ("rtf, cut off", b"{\\rtf1 a", UnreadableDocument),
    ("a program", b"MZ\x90\x00".ljust(128, b"\x00"), ActiveContent),
    ("a script", b"#!/bin/sh\nrm -r /", ActiveContent),
]


@pytest.mark.parametrize(("data", "media_type"), [case[1:] for case in PASSED], ids=[case[0] for case in PASSED])
def test_a_harmless_document_is_accepted(tmp_path: Path, data: bytes, media_type: str | None) -> None:
    facts = inspect_document(media_file(tmp_path, data), LIMITS)

    if media_type:
        assert facts == {"media_type": media_type}


@pytest.mark.parametrize(("data", "error"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_harmful_or_broken_document_is_refused(tmp_path: Path, data: bytes, error: type[FileRejected]) -> None:
    with pytest.raises(FileRejected) as refusal:
        inspect_document(media_file(tmp_path, data), LIMITS)

    assert type(refusal.value) is error
    assert refusal.value.where == "media/1/a"
    assert refusal.value.problem.endswith(".")


def test_the_stated_size_of_an_archive_is_not_trusted(tmp_path: Path) -> None:
    data, size = zipped({"a": bytes(5 * 1024 * 1024)}), (5 * 1024 * 1024).to_bytes(4, "little")
    lying = data.replace(size, (100).to_bytes(4, "little"))
    assert lying != data

    with pytest.raises(FileRejected):
        inspect_document(media_file(tmp_path, lying), LIMITS)


def test_too_many_entries_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(300):
            archive.writestr(f"{number}{'a' * 30_000}", b"")

    with pytest.raises(DecompressionBomb, match="too many files"):
        inspect_document(media_file(tmp_path, path.read_bytes()), LIMITS)


def test_a_document_that_compresses_too_well_is_refused(tmp_path: Path) -> None:
    data = zipped({"a": bytes(65 * 1024 * 1024)})

    with pytest.raises(DecompressionBomb, match="200 times"):
        inspect_document(media_file(tmp_path, data), Limits())


def test_files_of_an_archive_are_not_kept(tmp_path: Path) -> None:
    file = media_file(tmp_path, office("word", {f"word/{number}.xml": b"<a>" + bytes(70_000) for number in range(200)}))
    tracemalloc.start()
    try:
        inspect_document(file, Limits())
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
