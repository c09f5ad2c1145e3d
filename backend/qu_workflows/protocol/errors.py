"""Errors of messages and steps, each with a place, a problem and a remedy.

A step's error reaches the state machine by its class name, so a name here is a name in ``ErrorEquals``.

::

    ExplainedError
    ├── MessageRejected                  a task message that cannot be dispatched: see ``protocol.message``
    └── StepError
        ├── TransientError               the next attempt may work: retried with backoff
        │   ├── DatabaseUnavailable
        │   ├── EmailServiceUnavailable
        │   ├── StorageUnavailable
        │   └── TaskStillRunning
        └── PermanentError               no attempt works until something is changed
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
    """A message that cannot be dispatched, and becomes a dead letter."""


class StepError(ExplainedError):
    """A step failed."""


class TransientError(StepError):
    """The next attempt may work."""


class PermanentError(StepError):
    """No attempt works until something is changed."""


class DatabaseUnavailable(TransientError):
    """PostgreSQL refused or dropped the connection."""


class EmailServiceUnavailable(TransientError):
    """SES throttled the call or was not reached, and has not accepted the mail."""


class StorageUnavailable(TransientError):
    """S3 or DynamoDB throttled the call, had an internal error, or was not reached."""


class TaskStillRunning(TransientError):
    """Another process is running this task."""


class EmailRefused(PermanentError):
    """SES refuses this mail for this recipient."""


class PayloadInvalid(PermanentError):
    """The input of the step does not fit its contract."""


class RecipientNotFound(PermanentError):
    """The user does not exist, is not active, or has no email address."""


class TaskNotRegistered(PermanentError):
    """The deployed code has no Django task of this name."""


class TemplateInvalid(PermanentError):
    """The email template does not exist or does not render."""
