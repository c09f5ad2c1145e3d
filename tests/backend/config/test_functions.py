import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
STEPS = "import lambdas.load_report.handler, lambdas.record_report.handler, lambdas.render_email.handler"
WORK = "import reports.services, reports.emails, common.emails"
WEB = {
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "storages",
    "boto3",
    "django.contrib.admin",
    "config.urls",
}


def test_the_steps_with_a_database_import_nothing_of_the_web() -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.functions",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'backend'}",
    }
    program = f"{STEPS}; {WORK}; import sys; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert "django.db" in loaded.stdout.split()
    assert WEB & set(loaded.stdout.split()) == set()
