"""manage.py create_api_key NAME."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core.authentication import issue_api_key


class Command(BaseCommand):
    help = "Create an API key for the mobile app and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The purpose of the key, such as the app's version.")

    def handle(self, *args: Any, name: str, **options: Any) -> None:  # noqa: ARG002  Django's signature
        _key, text = issue_api_key(name)
        self.stdout.write(text)
