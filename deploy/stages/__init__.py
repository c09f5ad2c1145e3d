"""The stages and what ``deploy/samconfig.toml`` says of each."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy import ROOT

SAMCONFIG = ROOT / "deploy" / "samconfig.toml"
STAGES = ("dev", "production")


@dataclass(frozen=True)
class Stage:
    """One stage. ``parameters``: what it overrides of the template's, by name."""

    name: str
    stack_name: str
    region: str
    parameters: Mapping[str, str] = field(hash=False)

    @property
    def public_url(self) -> str:
        """The site's address, without a slash at its end. Raises KeyError if the stage gives none."""
        return self.parameters["PublicUrl"].rstrip("/")


def read_stage(name: str, path: Path = SAMCONFIG) -> Stage:
    """Return a stage. Raises KeyError for what the file does not say."""
    parameters = tomllib.loads(path.read_text(encoding="utf-8"))[name]["deploy"]["parameters"]
    overrides = dict(override.split("=", 1) for override in parameters["parameter_overrides"])
    return Stage(name, parameters["stack_name"], parameters["region"], overrides)
