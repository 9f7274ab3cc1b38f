"""How long others wait while a message of 25 MB goes up, is scanned by a clamd, sent and saved.

Ours alone: a server with the whole pipeline, which the sender reaches by JMAP. The others have a
connection each and ask something small every few milliseconds: the longest answer counts.
"""

import base64
import http.client
import imaplib
import json
import multiprocessing
import secrets
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.clamd import running_clamd
from tests.support.jmap import CORE, MAIL
from tests.support.server import PASSWORD, ServerProcess, configuration

SIZE: Final = 25 * 1000 * 1000
PAUSE: Final = 0.005
ADA, BOB = "ada@example.test", "bob@example.test"
SUBMISSION: Final = "urn:ietf:params:jmap:submission"
_ECHO: Final = json.dumps({"using": [CORE], "methodCalls": [["Core/echo", {}, "a"]]}).encode()


def longest(side: Side) -> float:
    """Milliseconds."""
    if not side.ours:
        return 0.0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clamd = stack.enter_context(running_clamd(limit="100M"))
        extra = f'[virus]\nclamd = "{clamd.unix}"\n[filters]\nlocal_networks = []\n'
        server = stack.enter_context(ServerProcess(folder / "s", configuration(extra=extra)))
        for address in (ADA, BOB):
            server.perform("account.add", address=address, password=PASSWORD)
        others = [_Other(server, kind) for kind in ("imap", "http")]
        sender = multiprocessing.get_context("spawn").Process(
            target=send, args=(server.port("http"), server.port("imap"))
        )
        sender.start()
        for one in others:
            one.start()
        sender.join(120)
        for one in others:
            one.stop()
        assert sender.exitcode == 0, "the message did not arrive"
        return max(one.longest for one in others) * 1000


class _Other(Thread):
    """One who asks all the while; `longest` in seconds."""

    def __init__(self, server: ServerProcess, kind: str) -> None:
        super().__init__(daemon=True)
        self._done, self.longest = Event(), 0.0
        self._socket = socket.create_connection(("127.0.0.1", server.port(kind)), 30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "http":
            head = f"POST /jmap/api HTTP/1.1\r\nHost: a\r\nAuthorization: {_basic()}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(_ECHO)}\r\n\r\n"
            self._question, self._end = head.encode() + _ECHO, b"}"
            self._ask()
        else:
            self._socket.recv(4096)
            self._question = f"a LOGIN {BOB} {{{len(PASSWORD)}+}}\r\n{PASSWORD}\r\n".encode()
            self._end = b"\r\n"
            self._ask()
            self._question = b"a NOOP\r\n"
        self.longest = 0.0

    def run(self) -> None:
        while not self._done.wait(PAUSE):
            self._ask()

    def stop(self) -> None:
        self._done.set()
        self.join(30)
        self._socket.close()

    def _ask(self) -> None:
        begin = time.perf_counter()
        self._socket.sendall(self._question)
        while not (answer := self._socket.recv(65536)).endswith(self._end):
            assert answer, "the connection was closed"
        self.longest = max(self.longest, time.perf_counter() - begin)


def _basic() -> str:
    return f"Basic {base64.b64encode(f'{ADA}:{PASSWORD}'.encode()).decode()}"


def send(http_port: int, imap_port: int) -> None:
    """In a process of its own: uploads, writes and sends the message, and waits until its
    recipient has it.
    """
    connection = http.client.HTTPConnection("127.0.0.1", http_port, timeout=60)
    fields = {"Authorization": _basic(), "Content-Type": "application/octet-stream"}
    session = _asked(connection, "GET", "/jmap/session", None, fields)
    account = session["primaryAccounts"][MAIL]
    data = secrets.token_bytes(SIZE)
    blob = _asked(connection, "POST", f"/jmap/upload/{account}/", data, fields)
    boxes, identities = _called(
        connection,
        ["Mailbox/get", {"accountId": account, "ids": None}],
        ["Identity/get", {"accountId": account, "ids": None}],
    )
    roles = {box["role"]: box["id"] for box in boxes["list"]}
    attachment = {"blobId": blob["blobId"], "type": "application/zip", "name": "a.bin"}
    email = {
        "mailboxIds": {roles["drafts"]: True},
        "from": [{"email": ADA}],
        "to": [{"email": BOB}],
        "subject": "large",
        "attachments": [attachment],
    }
    wish = {"emailId": "#e", "identityId": identities["list"][0]["id"]}
    patch = {"mailboxIds": {roles["sent"]: True}}
    done = _called(
        connection,
        ["Email/set", {"accountId": account, "create": {"e": email}}],
        [
            "EmailSubmission/set",
            {"accountId": account, "create": {"s": wish}, "onSuccessUpdateEmail": {"#s": patch}},
        ],
    )
    assert done[0]["created"] and done[1]["created"], done
    _arrived(imap_port)


def _called(connection: http.client.HTTPConnection, *calls: list[Any]) -> list[Any]:
    asked = {
        "using": [CORE, MAIL, SUBMISSION],
        "methodCalls": [[*call, str(number)] for number, call in enumerate(calls)],
    }
    fields = {"Authorization": _basic(), "Content-Type": "application/json"}
    found = _asked(connection, "POST", "/jmap/api", json.dumps(asked).encode(), fields)
    return [arguments for _, arguments, _ in found["methodResponses"]]


def _asked(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    fields: dict[str, str],
) -> Any:
    connection.request(method, path, body, fields)
    response = connection.getresponse()
    text = response.read()
    assert response.status in (200, 201), text
    return json.loads(text)


def _arrived(port: int) -> None:
    """Returns when the recipient has the message. Raises TimeoutError."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    client.login(BOB, PASSWORD)
    end = time.monotonic() + 60
    while client.select("INBOX")[1] == [b"0"]:
        if time.monotonic() > end:
            raise TimeoutError("the message did not arrive")
        time.sleep(0.05)
    client.logout()


ROWS = [Row("others' longest answer while 25 MB are sent", "ms", longest, limit=50)]
