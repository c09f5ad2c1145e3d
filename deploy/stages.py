"""The stages and what ``deploy/samconfig.toml`` says of each."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from deploy.closure import ROOT

SAMCONFIG = ROOT / "deploy" / "samconfig.toml"
STAGES = ("dev", "production")


@dataclass(frozen=True)
class Stage:
    """One stage. ``public_url`` has no slash at its end."""

    name: str
    stack_name: str
    region: str
    public_url: str


def read_stage(name: str, path: Path = SAMCONFIG) -> Stage:
    """Return a stage. Raises KeyError for what the file does not say."""
    parameters = tomllib.loads(path.read_text(encoding="utf-8"))[name]["deploy"]["parameters"]
    overrides = dict(override.split("=", 1) for override in parameters["parameter_overrides"])
    return Stage(name, parameters["stack_name"], parameters["region"], overrides["PublicUrl"].rstrip("/"))
