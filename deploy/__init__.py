"""Packaging, deployment to AWS, and the local stack."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class DeployError(Exception):
    """An expected failure: its text says what is wrong and what to do, so that a command prints nothing else."""
