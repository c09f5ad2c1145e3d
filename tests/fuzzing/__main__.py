"""``make fuzz``: takes mutated files through both functions, and keeps faults in ``.local/fuzz``.

A third of the time is for our own parsers, guided by their coverage (``guided``), if atheris is installed.

``python -m tests.fuzzing 60 [SEED]`` · ``python -m tests.fuzzing FILE…`` tries kept files again.
"""

import hashlib
import logging
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from deploy import ROOT
from tests.fuzzing.mutating import mutated
from tests.fuzzing.seeds import SEEDS
from tests.fuzzing.trying import Outcome, try_file

KEPT = ROOT / ".local" / "fuzz"
_MOST_KEPT = 200  # of one verdict, for a frequent fault


def main(arguments: Sequence[str]) -> int:
    """Return 0 without faults of the functions, 1 with, 2 for invalid arguments."""
    logging.getLogger("lambdas").setLevel(logging.ERROR)
    if arguments and not arguments[0].isdigit():
        return _again([Path(argument) for argument in arguments])
    if len(arguments) > 2 or not all(argument.isdigit() for argument in arguments):
        sys.stderr.write("python -m tests.fuzzing SECONDS [SEED], both whole numbers, or kept files to try again.\n")
        return 2
    seconds = int(arguments[0]) if arguments else 60
    seed = int(arguments[1]) if len(arguments) > 1 else random.SystemRandom().randrange(2**32)
    guided = _guided(seconds // 3)
    return max(_fuzz(seconds - (0 if guided is None else seconds // 3), seed), guided or 0)


def _guided(seconds: int) -> int | None:
    """Return the exit code of the guided part, None if it cannot run."""
    if not seconds or find_spec("atheris") is None:
        sys.stdout.write("Without the guided part: atheris is not installed, or there is no time for it.\n")
        return None
    command = [sys.executable, "-m", "tests.fuzzing.guided", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    counts = [line for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed_units")]
    sys.stdout.write(f"Our parsers, guided: {counts[0].split()[-1] if counts else 'no'} files, ")
    sys.stdout.write("nothing found.\n" if done.returncode == 0 else f"a fault:\n{done.stdout}{done.stderr}\n")
    return 1 if done.returncode else 0


def _fuzz(seconds: int, seed: int) -> int:
    rng, deadline = random.Random(seed), time.monotonic() + seconds  # noqa: S311  a repeatable sequence
    seeds = {name: make() for name, make in SEEDS.items()}
    verdicts: Counter[str] = Counter()
    faults = stops = 0
    while time.monotonic() < deadline:
        kind = rng.choice(list(seeds))
        data = mutated(seeds[kind], list(seeds.values()), rng)
        outcome = try_file(data)
        verdicts[outcome.verdict] += 1
        faults += bool(outcome.fault)
        stops += bool(outcome.stopped)
        if (outcome.fault or outcome.stopped) and verdicts[outcome.verdict] <= _MOST_KEPT:
            sys.stdout.write(f"{outcome.fault or outcome.stopped}\n  {_keep(data, kind, outcome)}\n")
    counts = ", ".join(f"{number:,} {name}" for name, number in verdicts.most_common())
    sys.stdout.write(f"{sum(verdicts.values()):,} files of seed {seed}: {counts}\n")
    sys.stdout.write(f"{faults:,} faults of the functions; {stops:,} decoders stopped, their files refused by name.\n")
    return 1 if faults else 0


def _keep(data: bytes, kind: str, outcome: Outcome) -> str:
    """Store a file and return the command that tries it again."""
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{outcome.verdict}-{hashlib.sha256(data).hexdigest()[:12]}.{kind}"
    path.write_bytes(data)
    return f".venv/bin/python -m tests.fuzzing {path.relative_to(ROOT)}"


def _again(files: Sequence[Path]) -> int:
    outcomes = {path: try_file(path.read_bytes()) for path in files}
    for path, outcome in outcomes.items():
        sys.stdout.write(f"{path}: {outcome.fault or outcome.stopped or outcome.verdict}\n")
    return 1 if any(outcome.fault for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
