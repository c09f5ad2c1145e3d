"""The functions' zips: reproducible, and complete without this machine's packages."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import deploy.packages.build
from deploy.packages.build import (
    Package,
    PackageNotBuilt,
    append_to_zip,
    build_packages,
    is_dropped,
    locked_requirements,
    runtime_packages,
    unpack,
)
from deploy.packages.functions import FUNCTIONS, FUNCTIONS_BY_NAME, Function

pytestmark = pytest.mark.xdist_group("packages")

# Finds its code as Lambda does, and says what it took from elsewhere.
IMPORT_ALONE = """
import importlib, sys
task_root, runtime = sys.argv[2:]
sys.path[:0] = [task_root]
sys.path.append(runtime)
importlib.import_module(sys.argv[1])
strangers = sorted(
    name for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", None) or "")
)
print(strangers)
"""


@pytest.fixture(scope="module")
def packages() -> dict[str, Package]:
    """Every function's package, as the local stack runs it; built once and kept in .build."""
    return {package.function.name: package for package in build_packages(FUNCTIONS, "native")}


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[dict[str, Path]]:
    yield {name: _written(tmp_path / "sources" / name, text) for name, text in {"b.py": "b = 1", "a/c.py": "c"}.items()}


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_second_build_gives_the_same_bytes(tmp_path: Path) -> None:
    function = FUNCTIONS_BY_NAME["dispatch_tasks"]
    [first], [second] = (build_packages([function], "native", tmp_path / place) for place in ("one", "two"))

    assert first.was_built
    assert second.was_built
    assert first.path.read_bytes() == second.path.read_bytes()


def test_nothing_is_built_again_while_its_inputs_stay(packages: dict[str, Package]) -> None:
    again = build_packages(FUNCTIONS, "native")

    assert packages.keys() == {package.function.name for package in again}
    assert not any(package.was_built for package in again)


def test_a_zip_depends_on_names_and_contents_alone(tmp_path: Path, sources: dict[str, Path]) -> None:
    append_to_zip(tmp_path / "one.zip", sources)
    for path in sources.values():
        path.chmod(0o600)
        path.touch()
    append_to_zip(tmp_path / "two.zip", dict(reversed(sources.items())))

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a/c.py", "b.py"]
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_package_imports_with_nothing_but_itself_and_lambda_s_runtime(
    packages: dict[str, Package], function: Function
) -> None:
    folder = unpack(packages[function.name])
    arguments = [function.handler_module, str(folder), str(runtime_packages())]

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALONE, *arguments],
        env={"AWS_DEFAULT_REGION": "us-east-2", "DATABASE_URL": "sqlite:///:memory:"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


# Imports each of our modules in the zip, and the storage that settings name by a text.
IMPORT_ALL = """
import importlib, os, sys
task_root, runtime, *modules = sys.argv[1:]
sys.path[:0] = [task_root]
sys.path.append(runtime)
importlib.import_module(modules[0])
for name in modules[1:]:
    importlib.import_module(name)
if "reports.files.storage" in sys.modules:
    from reports.files.storage import objects
    print(type(objects()._wrapped if hasattr(objects(), "_wrapped") else objects()).__name__)
"""


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_module_of_a_package_imports_with_a_bucket(packages: dict[str, Package], function: Function) -> None:
    names = [name.removesuffix(".py").removesuffix("/__init__") for name in function.source_files()]
    modules = [name.replace("/", ".") for name in names if not name.endswith((".html", ".txt", ".mo", ".json"))]
    modules = [name for name in modules if ".migrations" not in name and "__main__" not in name]
    arguments = [str(unpack(packages[function.name])), str(runtime_packages()), function.handler_module, *modules]

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_ALL, *arguments],
        env={
            "AWS_DEFAULT_REGION": "us-east-2",
            "AWS_STORAGE_BUCKET_NAME": "files",
            "DATABASE_URL": "sqlite:///:memory:",
            "DJANGO_SECRET_KEY": "k" * 40,
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("SignedS3Storage" if "reports.files.storage" in modules else "")


# A picture, as the function is given one: the decoder's process finds its code where the function does.
DECODE_ALONE = """
import base64, sys
name, task_root, runtime, picture = sys.argv[1:]
sys.path[:0] = [task_root]
sys.path.append(runtime)
from lambdas.shared.decoding.decoder import Decoder
from lambdas.shared.decoding.job import Limits
from lambdas.shared.decoding.receiving import receive
decoder = Decoder(f"lambdas.{name}.decoder_job")
with receive("key", [base64.b64decode(picture)], 10_000) as received:
    given = {"kind": "image", "sizes": [{"name": "small", "edge": 8, "media_type": "image/webp"}]}
    print(decoder.run(received, "key", "image/png", Limits(), given).answer)
"""
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAGCAIAAAB1kpiRAAAAFElEQVR4nGM8ISfHgBsw4ZEbYGkAwKABEOrItmQAAAAASUVORK5CYII="


@pytest.mark.parametrize(
    ("name", "answer"),
    [("inspect_file", "{'width': 10, 'height': 6}"), ("make_thumbnails", "{'drawn': [['small', 'image/webp', 8, 5]]}")],
)
def test_a_packaged_decoder_decodes_with_nothing_but_its_package(
    packages: dict[str, Package], name: str, answer: str
) -> None:
    arguments = [name, str(unpack(packages[name])), str(runtime_packages()), PICTURE]

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DECODE_ALONE, *arguments],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.strip() == answer, done.stderr


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_package_has_no_runtime_packages_and_no_tests(packages: dict[str, Package], function: Function) -> None:
    with zipfile.ZipFile(packages[function.name].path) as archive:
        names = archive.namelist()

    tops = {name.partition("/")[0] for name in names}
    assert not tops & {"boto3", "botocore", "s3transfer", "stepfunctions", "moto", "pytest", "ministack"}
    assert ("django" in tops) == function.needs_database
    assert ("PIL" in tops) == (function.name in {"inspect_file", "make_thumbnails"})
    assert not [name for name in names if "/tests/" in name or name.endswith((".po", "RECORD"))]
    assert len(names) == len(set(names))


def test_bytecode_comes_along_and_is_never_checked_against_its_source(packages: dict[str, Package]) -> None:
    name = f"qu_workflows/protocol/__pycache__/message.{sys.implementation.cache_tag}.pyc"
    with zipfile.ZipFile(packages["dispatch_tasks"].path) as archive:
        flags = archive.read(name)[4:8]

    # PEP 552: bit 0 says that it goes by a hash, bit 1 that the hash is checked.
    assert int.from_bytes(flags, "little") == 0b01


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("django/db/models/base.py", False),
        ("django/contrib/admin/sites.py", True),
        ("django/contrib/auth/locale/de/LC_MESSAGES/django.mo", True),
        ("django/contrib/auth/locale/es/LC_MESSAGES/django.mo", False),
        ("django/conf/locale/es/formats.py", False),
        ("django/conf/locale/fr/formats.py", True),
        ("django/conf/locale/__init__.py", False),
        ("pydantic-2.0.dist-info/RECORD", True),
        ("pydantic-2.0.dist-info/METADATA", False),
        ("PIL/_imaging.cpython-313-x86_64-linux-gnu.so", False),
        ("PIL/_imaging.pyi", True),
        ("PIL/_imagingtk.cpython-313-x86_64-linux-gnu.so", True),
        ("pillow.libs/libavif-c6062d5f.so.16.4.2", True),
        ("pillow.libs/libjpeg-6dc8d115.so.62.4.0", False),
        ("av/include/libav.pxd", True),
        ("av/container/core.abi3.so", False),
        ("psycopg/tests/test_adapt.py", True),
    ],
)
def test_what_no_function_needs_is_pruned(name: str, dropped: bool) -> None:
    assert is_dropped(name) == dropped


def test_packages_are_pinned_with_their_hashes_and_without_what_the_runtime_brings() -> None:
    requirements = locked_requirements("database-functions", ("boto3", "botocore"))

    assert "django==" in requirements
    assert requirements.count("--hash=sha256:") > 10
    assert "botocore==" not in requirements


def test_a_package_too_large_for_lambda_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy.packages.build, "MAX_UNZIPPED_BYTES", 1000)

    with pytest.raises(PackageNotBuilt, match="Lambda allows 1,000"):
        build_packages([FUNCTIONS_BY_NAME["dispatch_tasks"]], "native", tmp_path)


def test_a_package_can_be_unpacked_by_two_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "load_report.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("handler.py", "")
    package = Package(FUNCTIONS_BY_NAME["load_report"], "native", path, 0, 0, was_built=True)
    extract = zipfile.ZipFile.extractall
    others: list[Path] = []

    def late(archive: zipfile.ZipFile, where: Path) -> None:
        extract(archive, where)
        if not others:
            others.append(where)
            others.append(unpack(package))  # the other process's

    monkeypatch.setattr(zipfile.ZipFile, "extractall", late)

    folder = unpack(package)

    assert folder == others[1]
    assert [file.name for file in folder.iterdir()] == ["handler.py"]
