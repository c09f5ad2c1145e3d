"""The decoding libraries have wheels for both of Lambda's architectures."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.packages.build import PLATFORMS, locked_requirements

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("group", ["media-functions"])
@pytest.mark.parametrize("platform", [target for target in PLATFORMS.values() if target])
def test_every_library_of_a_function_has_a_wheel(platform: str, group: str, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(locked_requirements(group), encoding="utf-8")
    uv = Path(sys.executable).with_name("uv")

    # pyvips is published as source alone: pure Python, which needs no wheel; the library itself is in pyvips-binary.
    done = subprocess.run(
        [uv, "pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-binary", "pyvips",
         "--python-platform", platform,
         "--python-version", "3.13", requirements],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert {"av==", "pi-heif==", "pillow==", "pypdfium2==", "pyvips-binary=="} <= {
        line.partition("==")[0] + "==" for line in done.stdout.splitlines()
    }
