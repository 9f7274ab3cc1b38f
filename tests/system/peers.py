"""Clients whose answers are facts: done, refused, or the server was gone before it answered."""

import imaplib
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.support.server import PASSWORD

SECONDS = 25
_GONE = (imaplib.IMAP4.abort, smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, OSError)


class ServerGone(Exception):
    """The connection ended before an answer: nobody knows what was done."""


class Refused(Exception):
    """The server answered that it did not do it; the text is the answer."""


@contextmanager
def answers() -> Iterator[None]:
    """Turns what the libraries raise into ServerGone and Refused."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = next(iter(refused.recipients.values()))
        raise Refused(f"{code} {text!r}") from refused
    except smtplib.SMTPResponseException as refused:
        raise Refused(f"{refused.smtp_code} {refused.smtp_error!r}") from refused
    except _GONE as gone:
        raise ServerGone(str(gone)) from gone
    except imaplib.IMAP4.error as refused:
        raise Refused(str(refused)) from refused


def ready(answer: tuple[str, list[Any]]) -> list[Any]:
    """The data of an IMAP answer that is OK. Raises Refused."""
    status, data = answer
    if status != "OK":
        raise Refused(f"{status} {data!r}")
    return data


def quoted(folder: str) -> str:
    return f'"{folder}"'


@contextmanager
def imap(port: int, account: str, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
    """A connection, logged in."""
    with answers():
        client = imaplib.IMAP4("127.0.0.1", port, timeout=SECONDS)
    try:
        with answers():
            client.login(account, password)
        yield client
    finally:
        with suppress(Exception):
            client.logout()
        with suppress(OSError):
            client.shutdown()


@contextmanager
def smtp(port: int, account: str = "", password: str = PASSWORD) -> Iterator[smtplib.SMTP]:
    """A connection; logged in when an account is named."""
    with answers():
        client = smtplib.SMTP("127.0.0.1", port, timeout=SECONDS, local_hostname="client.test")
    try:
        with answers():
            client.ehlo()
            if account:
                client.login(account, password)
        yield client
    finally:
        with suppress(Exception):
            client.quit()
        client.close()
