"""``python -m deploy.capacity``: simulates, keeps results.json, and writes deploy/CAPACITY.md and its chart."""

import json
import sys

from deploy.capacity.report import CHART_FILE, REPORT_FILE, render_chart, render_report
from deploy.capacity.study import RESULTS_FILE, run_study


def main() -> int:
    """Run the whole study, print the report, write the files."""
    results = run_study(lambda line: print(line, file=sys.stderr, flush=True))
    RESULTS_FILE.write_text(json.dumps(results) + "\n", encoding="utf-8")
    CHART_FILE.write_text(render_chart(results), encoding="utf-8")
    REPORT_FILE.write_text(render_report(results), encoding="utf-8")
    print(render_report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
