"""The stages and their parameters in ``deploy/samconfig.toml``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy import ROOT

SAMCONFIG = ROOT / "deploy" / "samconfig.toml"
STAGES = ("dev", "production")


@dataclass(frozen=True)
class Stage:
    """One stage. ``parameters`` override those of the template."""

    name: str
    stack_name: str
    region: str
    parameters: Mapping[str, str] = field(hash=False)

    @property
    def public_url(self) -> str:
        """The site's address without a trailing slash. Raises KeyError without one."""
        return self.parameters["PublicUrl"].rstrip("/")


def read_stage(name: str, path: Path = SAMCONFIG) -> Stage:
    """Return a stage. Raises KeyError for a missing value."""
    parameters = tomllib.loads(path.read_text(encoding="utf-8"))[name]["deploy"]["parameters"]
    overrides = dict(override.split("=", 1) for override in parameters["parameter_overrides"])
    return Stage(name, parameters["stack_name"], parameters["region"], overrides)
