"""manage.py create_api_key NAME --guard ID."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.authentication import issue_api_key
from core.models import Guard


class Command(BaseCommand):
    help = "Create an API key for the mobile app and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The purpose of the key, such as the app's version.")
        holder = parser.add_mutually_exclusive_group(required=True)
        holder.add_argument("--guard", type=int, metavar="ID", help="The guard for whom the key acts.")
        holder.add_argument(
            "--all-guards", action="store_true", help="The key acts for each guard; needs API_KEYS_FOR_ALL_GUARDS."
        )

    def handle(self, *args: Any, name: str, guard: int | None, **options: Any) -> None:  # noqa: ARG002  Django's signature
        owner = None if guard is None else Guard.objects.active().filter(pk=guard).first()
        if guard is not None and owner is None:
            raise CommandError(f"{guard} is not the id of an active guard. The admin lists the guards.")
        if owner is None and not settings.API_KEYS_FOR_ALL_GUARDS:
            raise CommandError("API_KEYS_FOR_ALL_GUARDS is off: such a key would be refused. Give --guard ID.")
        _key, text = issue_api_key(name, owner)
        self.stdout.write(text)
