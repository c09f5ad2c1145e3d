"""System check of the console's settings."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's own name

from qu_workflows.console.masking import PATTERN, masked_keys

_AT_LEAST = ("password", "secret", "token", "authorization")


def check_masked_keys(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001  Django's signature
    """Check CONSOLE_MASKED_KEYS for patterns that match nothing or everything, and for missing ones."""
    return list(_problems(masked_keys()))


def _problems(patterns: Sequence[str]) -> Iterator[CheckMessage]:
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            yield Error(
                f"CONSOLE_MASKED_KEYS has the pattern {pattern!r}, which matches no key or every key.",
                hint="Write names in snake case, such as task_token; * matches any letters, ? one letter.",
                id="console.E001",
            )
    missing = [name for name in _AT_LEAST if not any(name in pattern for pattern in patterns)]
    if missing:
        yield Warning(
            f"CONSOLE_MASKED_KEYS lacks {', '.join(missing)}: every user of the console sees their values.",
            hint="Add them, or unset CONSOLE_MASKED_KEYS to mask the default names.",
            id="console.W001",
        )
