"""The runner: takes events, advances executions, saves them, and performs their commands."""

from asl_engine.runner.runner import Runner

__all__ = ["Runner"]
