"""How the project is packaged, deployed to AWS, and run on one machine."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class DeployError(Exception):
    """An expected failure: its text says what is wrong and what to do, so that a command prints nothing else."""
