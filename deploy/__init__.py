"""Packaging, deployment to AWS, and the local stack."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class DeployError(Exception):
    """An expected failure: commands print its text instead of a traceback."""
