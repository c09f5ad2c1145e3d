"""How the project is packaged, deployed to AWS, and run on one machine."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
