"""Hands mails to SES, and turns its answers into whether the mail was taken."""

from typing import TYPE_CHECKING, Protocol

from lambdas.send_email.mime import Mail
from lambdas.shared.runtime.aws import THROTTLED, aws_client, code_of, status_of
from workflows.errors import EmailRefused, EmailServiceUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

# Together well below the ledger's CLAIM_SECONDS.
CONNECT_SECONDS = 3
READ_SECONDS = 15
# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
_REFUSALS = {
    "AccountSuspendedException": "Ask AWS to let the account send again.",
    "BadRequestException": "Correct the address in the back office.",
    "MailFromDomainNotVerifiedException": "Verify the sender's MAIL FROM domain in SES.",
    "MessageRejected": "Verify the sender's identity in SES; in the sandbox the recipient's too.",
    "SendingPausedException": "Let the account or the configuration set send again in SES.",
}


class AnswerLost(Exception):
    """SES was asked and may have taken the mail; its answer did not arrive."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Mailer(Protocol):
    """Hands one mail on, once, without retries of its own."""

    def send(self, mail: Mail, task_id: str) -> str:
        """Return the service's id of the mail it took.

        Raises AnswerLost when it is unknown whether it was taken. Every other exception says that it
        surely was not: EmailRefused, EmailServiceUnavailable, or what only a change of the deployment corrects.
        """
        ...


class SesMailer:
    """SES, version 2 of its API."""

    def __init__(self, configuration_set: str = "", client: "SESV2Client | None" = None) -> None:
        self._configuration_set, self._given_client = configuration_set, client

    def send(self, mail: Mail, task_id: str) -> str:
        """Ask SES to send a mail, and return its MessageId."""
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            EndpointConnectionError,
            HTTPClientError,
            ProxyConnectionError,
            SSLError,
        )

        client = self._client
        try:
            return client.send_email(**self._request(mail, task_id))["MessageId"]
        except ClientError as error:
            raise _meaning_of(error) from None  # SES's own text may hold the address
        except (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError) as error:
            raise EmailServiceUnavailable("SES", f"was not reached ({type(error).__name__}).", "Try again.") from error
        except (HTTPClientError, SSLError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):  # ends the handshake, before anything is asked
                raise EmailServiceUnavailable("SES", "shows no valid certificate.", "Mend the endpoint.") from error
            raise AnswerLost(type(error).__name__) from error
        except BotoCoreError:
            raise  # no credentials, no region, wrong parameters: found before anything is asked
        except Exception as error:  # an answer that cannot be read, for example
            raise AnswerLost(type(error).__name__) from error
        finally:
            # A connection kept open may be dead when a frozen function thaws; that would look like a lost answer.
            client.close()

    @property
    def _client(self) -> "SESV2Client":
        # A retry inside the SDK after a lost answer would send twice.
        client: SESV2Client = self._given_client or aws_client(
            "sesv2", attempts=1, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
        )
        return client

    def _request(self, mail: Mail, task_id: str) -> "SendEmailRequestTypeDef":
        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": mail.sender,
            "Destination": {"ToAddresses": [mail.to]},  # so that no header decides who gets it
            "Content": {"Raw": {"Data": mail.raw}},
            "EmailTags": [{"Name": "task_id", "Value": task_id}],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request


def _meaning_of(error: "ClientError") -> Exception:
    """Return the exception that says whether SES took the mail, without SES's own text."""
    code, status = code_of(error), status_of(error)
    if code in THROTTLED or code == "LimitExceededException" or status in {429, 503}:
        return EmailServiceUnavailable("SES", f"has not taken the mail ({code or status}).", "Try again.")
    if status >= 500:
        return AnswerLost(f"{code} {status}")
    if code in _REFUSALS:
        return EmailRefused("SES", f"refused the mail ({code}).", _REFUSALS[code])
    return error
