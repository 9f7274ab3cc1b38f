"""One real server process with what surrounds it: DNS, certificate, accounts, and a reader.

The reader is Python's imaplib; it tells what arrived where a test is about another client.
"""

import asyncio
import email
import email.policy
import imaplib
import itertools
import ssl
from dataclasses import dataclass
from email.message import EmailMessage, Message
from pathlib import Path

from mailserver import control
from tests.support.dns_server import DnsServer
from tests.support.server import PASSWORD, ServerProcess, until

HOST = "localhost"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Account:
    """A login; the password is the same for all."""

    address: str
    password: str = PASSWORD


@dataclass(slots=True)
class Site:
    """`outside_port` is where the server reaches every mail exchanger."""

    server: ServerProcess
    dns: DnsServer
    outside_port: int

    @property
    def ca_file(self) -> Path:
        """The server's own certificate, for clients that verify it."""
        configured = self.server.folder / "fullchain.pem"
        return configured if configured.exists() else self.server.data / "selfsigned.pem"

    def port(self, name: str) -> int:
        return self.server.port(name)

    def tls(self) -> ssl.SSLContext:
        """A client context that checks the certificate and the host name."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def add_account(self, name: str = "user") -> Account:
        """An account that no other test uses."""
        address = f"{name}{next(_numbers)}@example.test"
        args = {"address": address, "password": PASSWORD}
        asyncio.run(control.call(self.server.data, "account.add", args, _no_progress))
        return Account(address)

    def imap(self, account: Account) -> imaplib.IMAP4_SSL:
        """A connection over TLS, logged in; `with` logs out."""
        client = imaplib.IMAP4_SSL(HOST, self.port("imaps"), ssl_context=self.tls(), timeout=20)
        client.login(account.address, account.password)
        return client

    def append(
        self, account: Account, message: bytes, flags: str = "", folder: str = "INBOX"
    ) -> None:
        """Puts a message into a folder."""
        with self.imap(account) as client:
            status, answer = client.append(folder, f"({flags})" if flags else "", "", message)
            assert status == "OK", answer

    def create(self, account: Account, folder: str) -> None:
        with self.imap(account) as client:
            assert client.create(folder)[0] == "OK"

    def messages(self, account: Account, folder: str = "INBOX") -> list[bytes]:
        """The octets of every message of a folder, in order."""
        return [body for _, body in self._all(account, folder, "(BODY.PEEK[])")]

    def flags(self, account: Account, folder: str = "INBOX") -> dict[str, set[str]]:
        """Flags by subject, \\Recent left out."""
        found = self._all(account, folder, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return {subject(header): flag_names(head) - {r"\Recent"} for head, header in found}

    def _all(self, account: Account, folder: str, items: str) -> list[tuple[bytes, bytes]]:
        with self.imap(account) as client:
            client.enable("UTF8=ACCEPT")  # else headers beyond ASCII come encoded
            status, answer = client.select(folder, readonly=True)
            assert status == "OK", answer
            return [] if answer == [b"0"] else fetch(client, "1:*", items)

    def folders(self, account: Account) -> set[str]:
        """Names of all folders, as they stand on the wire."""
        with self.imap(account) as client:
            lines = client.list()[1]
        return {
            line.decode().rpartition(' "/" ')[2].strip('"')
            for line in lines
            if isinstance(line, bytes)
        }

    def wait_for(self, account: Account, text: bytes, seconds: float = 20) -> bytes:
        """The first message of the INBOX that contains the octets; fails when none comes."""

        def look() -> bytes | None:
            return next((found for found in self.messages(account) if text in found), None)

        found = until(look, seconds, pause=0.1)
        assert isinstance(found, bytes)
        return found

    def complaints(self) -> list[str]:
        """Lines of the server's log that tell of errors: JSON of a high level, and all else."""
        wrong = ('"level":"error"', '"level":"critical"', '"exception":')
        return [
            line
            for line in self.server.log
            if not line.startswith("{") or any(word in line for word in wrong)
        ]


def fetch(client: imaplib.IMAP4, numbers: str, items: str) -> list[tuple[bytes, bytes]]:
    """Of each message the line up to its literal and the literal's octets, b"" without one."""
    status, answer = client.fetch(numbers, items)
    assert status == "OK", answer
    pairs: list[tuple[bytes, bytes]] = []
    for item in answer:
        if isinstance(item, tuple):
            pairs.append((item[0], item[1]))
        elif isinstance(item, bytes) and not item.startswith((b")", b" ")):
            pairs.append((item, b""))
    return pairs


def flag_names(line: bytes) -> set[str]:
    """The flags in a FETCH line."""
    return {flag.decode() for flag in imaplib.ParseFlags(line)}


def _no_progress(_done: int, _total: int, _what: str) -> None:
    return


def simple(title: str, body: str = "Hello.\r\n", sender: str = "a@world.test") -> bytes:
    """A small message with CRLF."""
    return (
        f"From: <{sender}>\r\nTo: <someone@example.test>\r\nSubject: {title}\r\n"
        f"Message-ID: <{next(_numbers)}.{title.replace(' ', '.')}@world.test>\r\n"
        f"Date: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\n{body}"
    ).encode()


def subject(message: bytes) -> str:
    """The Subject of a message or header."""
    return str(email.message_from_bytes(message)["Subject"])


def parse(message: bytes) -> EmailMessage:
    """A message by the standard library, headers decoded."""
    parsed: Message = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed
