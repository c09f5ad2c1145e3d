"""``python -m deploy.template.check``: lints the SAM template, and the CloudFormation that SAM makes of it."""

import json
import subprocess
import sys
from pathlib import Path

from deploy.packages.build import BUILD_DIR
from deploy.stages import STAGES, read_stage
from deploy.template.cloudformation import TEMPLATE_FILE, point_at_objects, read_template, translate
from deploy.template.connections import contradictions

REGION = "us-east-2"
# Parameters decide nothing that the linter looks at; SAM wants a value for each.
PARAMETERS = {
    "Stage": "production",
    "BucketName": "example-bucket",
    "PublicUrl": "https://api.example.com",
    "DatabaseUrlSecret": "database-url",
    "DjangoSecretKeySecret": "django-secret-key",
}


def main() -> int:
    """Print what is wrong with either template, or with a stage's file, and return an exit code."""
    found = list(contradictions(read_template(), map(read_stage, STAGES)))
    print(*found, sep="\n", end="\n" if found else "")
    return _lint() or bool(found)


def _lint() -> int:
    """Lint the template and the CloudFormation that SAM makes of it, which stays in ``.build/template.json``."""
    BUILD_DIR.mkdir(parents=True, exist_ok=True)
    translated = BUILD_DIR / "template.json"
    template = point_at_objects(read_template(), lambda path: f"s3://example-bucket/{path.name}")
    translated.write_text(json.dumps(translate(template, PARAMETERS, REGION), indent=2))
    linter = Path(sys.executable).with_name("cfn-lint")
    command = [str(linter), "--regions", REGION, "--", str(TEMPLATE_FILE), str(translated)]
    return subprocess.run(command, check=False).returncode  # noqa: S603  our own arguments


if __name__ == "__main__":
    sys.exit(main())
