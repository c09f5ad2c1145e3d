"""Errors of operating executions and queues.

::

    OperationRefused            nothing was changed; a command ends with exit code 2
    ├── OperationStopped        ended by its user before it did anything; exit code 130
    └── OperationFailed         asked for, and AWS did not do it; exit code 1
"""

from qu_workflows.protocol.errors import ExplainedError


class OperationRefused(ExplainedError):
    """The operation cannot be done. Nothing was changed."""

    exit_code = 2


class OperationStopped(OperationRefused):
    """Its user ended it, by Ctrl-C or SIGTERM, before it did anything."""

    exit_code = 130  # as a shell has it of a command that Ctrl-C ended


class OperationFailed(OperationRefused):
    """AWS did not answer, or answered with an error that asking otherwise does not fix."""

    exit_code = 1
