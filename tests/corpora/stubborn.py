"""Replaces a function's command line: hangs, dies or answers by the file's name."""

import json
import os
import sys
import time
from pathlib import Path

for name in sys.argv[sys.argv.index("--") + 1 :]:
    stem = Path(name).stem
    if stem == "hangs":
        time.sleep(60)
    if stem == "dies":
        os._exit(3)
    answer = {"file": name, "verdict": "unsure" if stem == "unsure" else "accepted", "seconds": 0.01, "kind": "image"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
