"""Errors with a place, a problem and a remedy: of messages, and of the steps of any workflow.

A step's error reaches the state machine by its class name, so a name here is a name in ``ErrorEquals``.

::

    ExplainedError
    ├── MessageRejected                  a task message that cannot be dispatched: see ``protocol.message``
    └── StepError
        ├── TransientError               the next attempt may work: retried with back-off
        │   ├── DatabaseUnavailable
        │   ├── EmailServiceUnavailable
        │   ├── StorageUnavailable
        │   └── TaskStillRunning
        └── PermanentError               no attempt will work until something is changed
            ├── EmailRefused
            ├── PayloadInvalid
            ├── RecipientNotFound
            ├── TaskNotRegistered
            └── TemplateInvalid
"""


class ExplainedError(Exception):
    """An error that says where it occurred, what is wrong, and how to fix it.

    Every argument goes to ``super().__init__``, so the error pickles and its text is never empty.
    """

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} {self.remedy}"


class MessageRejected(ExplainedError):
    """A message that cannot be dispatched, however often it is received. It ends in the dead-letter queue."""


class StepError(ExplainedError):
    """A step failed."""


class TransientError(StepError):
    """The next attempt may work."""


class PermanentError(StepError):
    """No attempt will work until something is changed."""


class DatabaseUnavailable(TransientError):
    """PostgreSQL refused or dropped the connection."""


class EmailServiceUnavailable(TransientError):
    """SES throttled the call or was not reached, and has surely not taken the mail."""


class StorageUnavailable(TransientError):
    """S3 or DynamoDB throttled the call, failed inside, or was not reached."""


class TaskStillRunning(TransientError):
    """Another process is running this very task, and its end has to be awaited."""


class EmailRefused(PermanentError):
    """SES will not take this mail for this recipient."""


class PayloadInvalid(PermanentError):
    """The input of the step does not fit its contract."""


class RecipientNotFound(PermanentError):
    """The user does not exist, is not active, or has no email address."""


class TaskNotRegistered(PermanentError):
    """No Django task goes by this name in the deployed code."""


class TemplateInvalid(PermanentError):
    """The email template does not exist or does not render."""
