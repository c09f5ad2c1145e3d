"""Read the SAM template and translate it into CloudFormation, as ``sam deploy`` does."""

import copy
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # it ships no types

from deploy import ROOT

TEMPLATE_FILE = ROOT / "deploy" / "template.yaml"

type Template = dict[str, Any]


def read_template(path: Path = TEMPLATE_FILE) -> Template:
    """Return the SAM template with long forms: ``{"Ref": "X"}`` for ``!Ref X``."""
    return parse_template(path.read_text(encoding="utf-8"))


def parse_template(text: str) -> Template:
    """Return a template's text as ``read_template`` does its file."""
    template: Template = yaml_parse(text)
    return template


def point_at_objects(template: Template, uri_of: Callable[[Path], str]) -> Template:
    """Return the template with ``uri_of`` for each local file, like ``sam package``."""
    packaged = copy.deepcopy(template)
    for resource in packaged["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "DefinitionUri"):
            if isinstance(properties.get(name), str):
                properties[name] = uri_of((TEMPLATE_FILE.parent / properties[name]).resolve())
    return packaged


def translate(template: Template, parameters: Mapping[str, str], region: str) -> Template:
    """Return plain CloudFormation of a packaged SAM template. Parameters stay parameters."""
    # Imported here: the translator takes half a second to load.
    import boto3
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # it ships no types
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # it ships no types

    # It warns about a feature toggle of AWS once for each function.
    logging.getLogger("samtranslator.feature_toggle").setLevel(logging.ERROR)
    translator = Translator(
        managed_policy_map=dict(_MANAGED_POLICIES), sam_parser=Parser(), boto_session=boto3.Session(region_name=region)
    )
    translated: Template = translator.translate(copy.deepcopy(template), parameter_values=dict(parameters))
    return translated


# Those that SAM attaches by name; it looks the others up in IAM.
_MANAGED_POLICIES: Mapping[str, str] = {
    name: f"arn:aws:iam::aws:policy/{path}{name}"
    for name, path in (
        ("AWSLambdaBasicExecutionRole", "service-role/"),
        ("AWSLambdaVPCAccessExecutionRole", "service-role/"),
        ("AWSXrayWriteOnlyAccess", ""),
    )
}
