"""What operating executions and queues can not do, and says: where, what, and how to mend it.

::

    OperationRefused            nothing was changed; a command ends with exit code 2
    ├── OperationStopped        ended by its user before it did anything; exit code 130
    └── OperationFailed         asked for, and AWS did not do it; exit code 1
"""


class OperationRefused(Exception):
    """What was asked for can not be done. Nothing was changed."""

    exit_code = 2

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} {self.remedy}"


class OperationStopped(OperationRefused):
    """Its user ended it, by Ctrl-C or SIGTERM, before it did anything."""

    exit_code = 130  # as a shell has it of a command that Ctrl-C ended


class OperationFailed(OperationRefused):
    """AWS did not answer, or answered with an error that asking otherwise does not mend."""

    exit_code = 1
