"""A client of JMAP beside one of IMAP, for tests over real connections."""

import base64
import imaplib
import re
from email.message import EmailMessage
from typing import Any

from tests.support.http_api import Answer, ask
from tests.support.server import PASSWORD, ServerProcess

ADA, BOB = "ada@example.test", "bob@example.test"
CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"


def basic(user: str = ADA, password: str = PASSWORD) -> dict[str, str]:
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


class Jmap:
    """A client of one account."""

    def __init__(self, server: ServerProcess, headers: dict[str, str]) -> None:
        self._server, self._headers = server, headers
        found = ask(server, "GET", "/.well-known/jmap", None, headers)
        assert (found.status, found.kind) == (200, "application/json")
        self.session = found.body
        self.account = found.body["primaryAccounts"][MAIL]

    def request(self, *calls: list[Any]) -> Answer:
        path = self.session["apiUrl"].partition("//")[2].partition("/")[2]
        asked = {"using": list(self.session["capabilities"]), "methodCalls": calls}
        return ask(self._server, "POST", f"/{path}", asked, self._headers)

    def call(self, name: str, **arguments: Any) -> Any:
        """The arguments of the one response."""
        found = self.request([name, {"accountId": self.account, **arguments}, "c"])
        assert found.status == 200, found.body
        ((kind, answer, _),) = found.body["methodResponses"]
        return answer if kind == name else {"error": answer["type"]}

    def get(self, kind: str, id_: str, *properties: str) -> Any:
        asked = {"properties": list(properties)} if properties else {}
        (found,) = self.call(f"{kind}/get", ids=[id_], **asked)["list"]
        return found


def append(imap: imaplib.IMAP4, data: bytes, mailbox: str = "INBOX", flags: str = "") -> str:
    """The EMAILID of the message."""
    kind, found = imap.append(mailbox, flags, "", data)
    assert kind == "OK"
    uid = found[0].split()[2].rstrip(b"]").decode()
    imap.select(mailbox)
    _, answer = imap.uid("FETCH", uid, "(EMAILID)")
    match = re.search(rb"EMAILID \((\w+)\)", answer[0])
    assert match is not None
    return match[1].decode()


def letter(subject: str, **fields: str) -> bytes:
    mail = EmailMessage()
    mail["From"] = "Bob Ray <bob@example.test>"
    mail["To"] = '"Ada, the first" <ada@example.test>, Team: carol@x.test;'
    mail["Subject"] = subject
    mail["Date"] = "Sat, 28 Nov 2026 10:00:00 +0200"
    mail["Message-ID"] = f"<{abs(hash(subject))}@x.test>"
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content("Grüße aus dem Text\n")
    mail.add_alternative("<p>Grüße aus dem <b>HTML</b></p>\n", subtype="html")
    mail.add_attachment(b"\x00\x01PDF", maintype="application", subtype="pdf", filename="é.pdf")
    return mail.as_bytes()


def flags(imap: imaplib.IMAP4, mailbox: str, id_: str) -> set[str] | None:
    """Of the message in a mailbox, None where it is not."""
    imap.select(mailbox)
    uid = imap.uid("SEARCH", "EMAILID", id_)[1][0]
    if not uid:
        return None
    line = imap.uid("FETCH", uid.decode(), "(FLAGS)")[1][0]
    return {one.decode() for one in imaplib.ParseFlags(line)} - {"\\Recent"}
