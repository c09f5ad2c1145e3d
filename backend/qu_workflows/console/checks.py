"""The system check of the console's settings."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004  Django's own name

from qu_workflows.console.masking import PATTERN, masked_keys

_AT_LEAST = ("password", "secret", "token", "authorization")


def check_masked_keys(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:  # noqa: ARG001  Django's signature
    """Return what is wrong with CONSOLE_MASKED_KEYS: a pattern that fits nothing, everything, or is missing."""
    return list(_problems(masked_keys()))


def _problems(patterns: Sequence[str]) -> Iterator[CheckMessage]:
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            yield Error(
                f"CONSOLE_MASKED_KEYS has the pattern {pattern!r}, which no key can fit, or which fits every key.",
                hint="Write names in snake case, as task_token; * stands for any letters, ? for one.",
                id="console.E001",
            )
    missing = [name for name in _AT_LEAST if not any(name in pattern for pattern in patterns)]
    if missing:
        yield Warning(
            f"CONSOLE_MASKED_KEYS leaves out {', '.join(missing)}: their values are shown to all who see the console.",
            hint="Unset CONSOLE_MASKED_KEYS for the usual names, or add these to it.",
            id="console.W001",
        )
