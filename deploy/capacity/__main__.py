"""``python -m deploy.capacity``: simulates, keeps results.json, and writes deploy/CAPACITY.md and its chart.

``--render`` writes both from the results that were kept, in a second: for when only their words have changed.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from deploy.capacity.report import CHART_FILE, REPORT_FILE, render_chart, render_report
from deploy.capacity.study import RESULTS_FILE, read_results, run_study


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study or take the kept one, print the report, write the files."""
    parser = argparse.ArgumentParser(prog="python -m deploy.capacity", description="Simulate what the stack bears.")
    parser.add_argument("--render", action="store_true", help="Simulate nothing: write from results.json.")
    if parser.parse_args(arguments).render:
        results = read_results()
    else:
        results = run_study(lambda line: print(line, file=sys.stderr, flush=True))
        RESULTS_FILE.write_text(json.dumps(results) + "\n", encoding="utf-8")
    CHART_FILE.write_text(render_chart(results), encoding="utf-8")
    REPORT_FILE.write_text(render_report(results), encoding="utf-8")
    print(render_report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
