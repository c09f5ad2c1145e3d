"""Runs the executions of a store: takes what happens to them, advances them, saves, and acts."""

from asl_engine.runner.runner import Runner

__all__ = ["Runner"]
