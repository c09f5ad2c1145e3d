"""Time of the dispatcher for a batch of ten, when a start takes 40 ms.

Target: at most twice one start, since the ten go side by side.
"""

import io
import itertools
import json
import os
import subprocess
import sys
import time
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.report import Row, medians, report, sized

START_SECONDS = 0.040
BATCH_SIZE = 10
ROUNDS = sized(40)
TARGET = 2.0
STUB = "stub"
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 30_000)


class SlowStepFunctions(BaseHTTPRequestHandler):
    """Answers every StartExecution after 40 ms."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take the request, wait, answer."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(START_SECONDS)
        body = json.dumps({"executionArn": f"{request['stateMachineArn']}:{request['name']}", "startDate": 0}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Say nothing."""


def serve() -> None:
    """Serve on a free port, printed to standard output."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowStepFunctions)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


def measure() -> list[Row]:
    """Measure against the stub that AWS_ENDPOINT_URL_SFN names."""
    from lambdas.dispatch_tasks.handler import lambda_handler
    from lambdas.dispatch_tasks.starts import step_functions

    arns, names = json.loads(os.environ["STATE_MACHINE_ARNS"]), itertools.count(1)

    def one_start() -> float:
        began = time.perf_counter()
        step_functions().start_execution(
            stateMachineArn=arns["guard_report"], name=f"one-{next(names)}", input='{"report_id":1}'
        )
        return time.perf_counter() - began

    def batch() -> float:
        event = {"Records": [record(f"task-{next(names)}") for _ in range(BATCH_SIZE)]}
        with redirect_stdout(io.StringIO()):  # metrics; a terminal's speed is not the dispatcher's
            began = time.perf_counter()
            answer = lambda_handler(event, CONTEXT)
            taken = time.perf_counter() - began
        if answer != {"batchItemFailures": []}:
            raise AssertionError(f"not every message was dispatched: {answer}")
        return taken

    ten, one = medians(ROUNDS, batch, one_start)
    return [Row(f"dispatch a batch of {BATCH_SIZE}, beside one start", ten * 1000, "ms", one * 1000, TARGET)]


def record(name: str) -> dict[str, Any]:
    """Return an SQS record that asks for one guard report."""
    return {
        "messageId": name,
        "body": json.dumps({"id": name, "task": "process_guard_report", "payload": {"report_id": 1}}),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:tasks",
    }


def main() -> int:
    """Start the stub in a process of its own, measure, and return the exit code."""
    from workflows.project import PROJECT

    with subprocess.Popen(  # its own process, so that its threads take no time from ours
        [sys.executable, __file__, STUB], stdout=subprocess.PIPE, text=True
    ) as stub:
        assert stub.stdout is not None
        try:
            os.environ.update(
                AWS_ACCESS_KEY_ID="bench",
                AWS_SECRET_ACCESS_KEY="bench",
                AWS_DEFAULT_REGION="us-east-2",
                AWS_ENDPOINT_URL_SFN=f"http://127.0.0.1:{stub.stdout.readline().strip()}",
                POWERTOOLS_LOG_LEVEL="ERROR",
                STATE_MACHINE_ARNS=json.dumps(
                    {name: f"arn:aws:states:us-east-2:123456789012:stateMachine:{name}" for name in PROJECT.workflows}
                ),
            )
            return report("dispatch", measure())
        finally:
            stub.terminate()


if __name__ == "__main__":
    if sys.argv[1:] == [STUB]:
        serve()
    sys.exit(main())
