"""manage.py create_api_key NAME."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core.api_keys import issue_api_key


class Command(BaseCommand):
    help = "Make an API key for the mobile app and print it, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="What the key is for, such as the app's version.")

    def handle(self, *args: Any, name: str, **options: Any) -> None:  # noqa: ARG002  Django's signature
        _key, text = issue_api_key(name)
        self.stdout.write(text)
