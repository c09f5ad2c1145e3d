"""manage.py seed_demo."""

import json
import os
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.demo import seed_demo

PASSWORD_VARIABLE = "DEMO_PASSWORD"  # noqa: S105  the variable's name


class Command(BaseCommand):
    help = "Save people and places for a first look, and print their ids and an API key as JSON. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password", help=f"The staff user's password; without it that of the environment ({PASSWORD_VARIABLE})."
        )

    def handle(self, *args: Any, password: str | None = None, **options: Any) -> None:  # noqa: ARG002  Django's signature
        chosen = password or os.environ.get(PASSWORD_VARIABLE, "")
        if settings.STAGE == "production":
            raise CommandError("The demo's people do not belong into production. Set STAGE=dev.")
        if not chosen:
            raise CommandError(f"There is no password for the staff user. Give --password or set {PASSWORD_VARIABLE}.")
        self.stdout.write(json.dumps(asdict(seed_demo(chosen))))
