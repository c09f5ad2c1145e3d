"""Sends mails with SES, and interprets its errors."""

from typing import TYPE_CHECKING, Protocol

from lambdas.send_email.mime import Mail
from lambdas.shared.runtime.aws import THROTTLED, aws_client, code_of, status_of
from workflows.errors import EmailRefused, EmailServiceUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

# Their sum is well below the ledger's CLAIM_SECONDS.
CONNECT_SECONDS = 3
READ_SECONDS = 15
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
_REFUSALS = {
    "AccountSuspendedException": "Ask AWS to reactivate the account.",
    "BadRequestException": "Correct the address in the back office.",
    "MailFromDomainNotVerifiedException": "Verify the sender's MAIL FROM domain in SES.",
    "MessageRejected": "Verify the sender's identity in SES; in the sandbox the recipient's too.",
    "SendingPausedException": "Resume sending of the account or the configuration set in SES.",
}


class AnswerLost(Exception):
    """The mail may have been sent, but the answer was lost."""


class Mailer(Protocol):
    """Sends one mail, without retries."""

    def send(self, mail: Mail, task_id: str) -> str:
        """Return the message id of the sent mail.

        Raises AnswerLost if it is unknown whether it was sent. After any other error it certainly was not:
        EmailRefused, EmailServiceUnavailable, or an error of the deployment.
        """


class SesMailer:
    """SES, version 2 of its API."""

    def __init__(self, configuration_set: str = "", client: "SESV2Client | None" = None) -> None:
        self._configuration_set = configuration_set
        # Without retries: one after a lost answer would send the mail twice.
        self._client: SESV2Client = client or aws_client(
            "sesv2", attempts=1, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
        )

    def send(self, mail: Mail, task_id: str) -> str:
        """Send a mail, and return its MessageId."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            ProxyConnectionError,
            SSLError,
        )

        try:
            return self._client.send_email(**self._request(mail, task_id))["MessageId"]
        except ClientError as error:
            raise _meaning_of(error) from None  # SES's text may contain the address
        except (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError) as error:
            raise EmailServiceUnavailable("SES", f"was not reached ({type(error).__name__}).", "Try again.") from error
        except (HTTPClientError, SSLError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):  # fails the handshake, before the request
                raise EmailServiceUnavailable("SES", "has an invalid certificate.", "Fix the endpoint.") from error
            raise AnswerLost(type(error).__name__) from error
        except BotoCoreError:
            raise  # no credentials or region, wrong parameters: raised before the request
        except Exception as error:  # an unreadable answer, for example
            raise AnswerLost(type(error).__name__) from error
        finally:
            # A connection may be dead after a frozen function resumes, which would look like a lost answer.
            self._client.close()

    def _request(self, mail: Mail, task_id: str) -> "SendEmailRequestTypeDef":
        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": mail.sender,
            "Destination": {"ToAddresses": [mail.to]},  # not from a header
            "Content": {"Raw": {"Data": mail.raw}},
            "EmailTags": [{"Name": "task_id", "Value": task_id}],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request


def _meaning_of(error: "ClientError") -> Exception:
    """Return the exception for an error code, without SES's text."""
    code, status = code_of(error), status_of(error)
    if code in THROTTLED or code == "LimitExceededException" or status in {429, 503}:
        return EmailServiceUnavailable("SES", f"did not accept the mail ({code or status}).", "Try again.")
    if status >= 500:
        return AnswerLost(f"{code} {status}")
    if code in _REFUSALS:
        return EmailRefused("SES", f"refused the mail ({code}).", _REFUSALS[code])
    return error
