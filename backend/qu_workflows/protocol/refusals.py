"""Errors of operating executions and queues.

::

    OperationRefused            nothing was changed; a command ends with exit code 2
    ├── OperationStopped        stopped by the user before anything was changed; exit code 130
    └── OperationFailed         AWS did not do it; exit code 1
"""

from qu_workflows.protocol.errors import ExplainedError


class OperationRefused(ExplainedError):
    """The operation cannot be done. Nothing was changed."""

    exit_code = 2


class OperationStopped(OperationRefused):
    """Stopped by Ctrl-C or SIGTERM before anything was changed."""

    exit_code = 130  # a shell's for a command that Ctrl-C ended


class OperationFailed(OperationRefused):
    """AWS did not answer, or answered with an error that the request did not cause."""

    exit_code = 1
