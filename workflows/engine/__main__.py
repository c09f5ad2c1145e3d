"""Starts the engine from the repository's root: ``python -m workflows.engine serve | run``."""

import sys

from asl_engine.__main__ import main

sys.exit(main())
