"""Another time of day, for what signatures remember."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    with patch("django.core.signing.time.time", return_value=moment.timestamp()):
        yield
