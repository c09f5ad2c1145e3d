"""A tracing provider that does nothing, for wherever no X-Ray daemon listens.

Powertools imports the X-Ray SDK, and with it botocore, even for a tracer that is switched off;
given a provider it does not. That is most of what a small function's cold start would cost.
"""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aws_lambda_powertools.tracing.base import BaseProvider, BaseSegment


class NoSegment(BaseSegment):
    """A segment that keeps nothing."""

    def close(self, end_time: int | None = None) -> None:
        """Do nothing."""

    def add_subsegment(self, subsegment: Any) -> None:
        """Do nothing."""

    def remove_subsegment(self, subsegment: Any) -> None:
        """Do nothing."""

    def put_annotation(self, key: str, value: Any) -> None:
        """Do nothing."""

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Do nothing."""

    def add_exception(self, exception: BaseException, stack: Any, remote: bool = False) -> None:
        """Do nothing."""


class NoTracing(BaseProvider):
    """A provider whose subsegments keep nothing."""

    @contextmanager
    def in_subsegment(self, name: str | None = None, **kwargs: Any) -> Generator[BaseSegment]:  # noqa: ARG002  the base class names them
        """Yield a segment that keeps nothing."""
        yield NoSegment()

    @asynccontextmanager
    async def in_subsegment_async(self, name: str | None = None, **kwargs: Any) -> AsyncGenerator[BaseSegment]:  # noqa: ARG002  the base class names them
        """Yield a segment that keeps nothing."""
        yield NoSegment()

    def put_annotation(self, key: str, value: Any) -> None:
        """Do nothing."""

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Do nothing."""

    def patch(self, modules: Sequence[str]) -> None:
        """Do nothing."""

    def patch_all(self) -> None:
        """Do nothing."""
