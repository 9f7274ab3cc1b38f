"""What tests of the drive share: mail with attachments, links, and a client that follows them."""

import http.client
import imaplib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from tests.support.jmap import ADA, BOB, append
from tests.support.server import ServerProcess

__all__ = ["ADA", "BOB"]


def letter(name: str, data: bytes, subject: str = "with a file", **more: Any) -> bytes:
    """A message with one attachment."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = BOB, ADA, subject
    mail.set_content("There is a file.\n")
    options = {"maintype": "application", "subtype": "octet-stream", **more}
    mail.add_attachment(data, filename=name, **options)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@dataclass(frozen=True)
class Got:
    """An answer; `fields` by their names in lower case."""

    status: int
    body: bytes
    fields: Mapping[str, str]


def get(
    server: ServerProcess, url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> Got:
    """Names of headers have "_" for "-"."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=30)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, fields)
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.headers.items()}
        return Got(answer.status, answer.read(), found)
    finally:
        connection.close()


def attach(server: ServerProcess, imap: imaplib.IMAP4, name: str, data: bytes, **more: Any) -> str:
    """Puts a message with the file into INBOX; the attachment's id in the drive."""
    before = {one["id"] for one in items(server)}
    append(imap, letter(name, data, **more))
    (made,) = [one["id"] for one in items(server) if one["id"] not in before]
    return str(made)


def items(server: ServerProcess, address: str = ADA) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.perform("drive.list", address=address)
    return found


def link(server: ServerProcess, item: str, address: str = ADA, **wish: Any) -> dict[str, Any]:
    made: dict[str, Any] = server.perform("drive.link", address=address, item=item, **wish)
    return made
