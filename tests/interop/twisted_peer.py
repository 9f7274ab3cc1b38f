"""Twisted's IMAP4 client and ESMTP sender, run as a program by test_interop_twisted.py.

    twisted_peer.py imap|smtp PORT CA USER PASSWORD [SENDER RECIPIENT]

What it saw goes to stdout as one JSON object; exit status 1 tells of a failure. The reactor can run
once a process, which is why this is one of its own.
"""

# Twisted's mail package has no types
# mypy: allow-untyped-calls

import json
import sys
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet import defer, endpoints, protocol, reactor, ssl, task
from twisted.mail import imap4, smtp

MESSAGE = b"Subject: by twisted\r\nFrom: <a@world.test>\r\n\r\n.dots\r\n..\r\nend\r\n"


LARGE = b"Subject: large\r\n\r\n" + b"lorem ipsum\r\n" * 100_000


class Watcher(imap4.IMAP4Client):
    """Keeps what the server says unasked."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.greeted: defer.Deferred[Any] = defer.Deferred()
        self.sizes: list[int] = []

    def serverGreeting(self, caps: Any) -> None:
        self.greeted.callback(caps)

    def newMessages(self, exists: int | None, recent: int | None) -> None:
        if exists is not None:
            self.sizes.append(exists)


@defer.inlineCallbacks
def read(port: int, ca: str, user: str, password: str) -> Generator[Any, Any, dict[str, Any]]:
    """STARTTLS, AUTHENTICATE, and one use of most commands."""
    point = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    client = yield endpoints.connectProtocol(point, Watcher(trusting(ca)))
    yield client.greeted
    client.registerAuthenticator(imap4.PLAINAuthenticator(user.encode()))
    capabilities = yield client.getCapabilities()
    yield client.startTLS()
    yield client.authenticate(password.encode())
    listed = yield client.list("", "*")
    yield client.create("Twisted")
    yield client.subscribe("Twisted")
    subscribed = yield client.lsub("", "Tw*")
    yield client.append("Twisted", BytesIO(MESSAGE), (r"\Seen",), "02-Jan-2021 03:04:05 +0000")
    selected = yield client.select("Twisted")
    body = yield client.fetchMessage("1")
    text = yield client.fetchBody("1")
    flags = yield client.fetchFlags("1")
    date = yield client.fetchInternalDate("1")
    envelope = yield client.fetchEnvelope("1")
    structure = yield client.fetchBodyStructure("1")
    simplified = yield client.fetchSimplifiedBody("1")
    yield client.addFlags("1", (r"\Flagged", "$label1"), silent=False)
    flagged = yield client.search(imap4.Query(flagged=True), uid=True)
    yield client.copy("1", "Archive", uid=False)
    status = yield client.status("Archive", "MESSAGES", "UIDNEXT")
    yield client.setFlags("1", (r"\Deleted",))
    expunged = yield client.expunge()
    yield client.append("Twisted", BytesIO(LARGE), ("blue",))
    yield client.noop()
    large = yield client.fetchMessage("1")
    tagged = yield client.search(imap4.Query(keyword="blue"))
    found = yield client.search(imap4.Query(text="lorem ipsum", seen=True))
    yield client.removeFlags("1", ("blue",))
    yield client.close()
    yield client.rename("Twisted", "Other/again")
    yield client.delete("Other/again")
    namespace = yield client.namespace()
    yield client.logout()
    return {
        "starttls": b"STARTTLS" in capabilities,
        "folders": [name for _, _, name in listed],
        "subscribed": [name for _, _, name in subscribed],
        "exists": selected["EXISTS"],
        "uidvalidity": selected["UIDVALIDITY"],
        "body": body["1" if "1" in body else 1]["RFC822"],
        "text": text["1" if "1" in text else 1]["RFC822.TEXT"],
        "flags": flags[1]["FLAGS"],
        "date": date[1]["INTERNALDATE"],
        "subject": envelope[1]["ENVELOPE"][1],
        "structure": structure[1]["BODYSTRUCTURE"][:2],
        "simplified": simplified[1]["BODY"][:2],
        "flagged": flagged,
        "archive": status,
        "expunged": expunged,
        "namespace": namespace,
        "large": large["1" if "1" in large else 1]["RFC822"] == LARGE.decode(),
        "tagged": tagged,
        "found": found,
    }


@defer.inlineCallbacks
def send(
    port: int, ca: str, user: str, password: str, sender: str, recipient: str
) -> Generator[Any, Any, dict[str, Any]]:
    """One message over submission; login and TLS are required."""
    result: defer.Deferred[Any] = defer.Deferred()
    message = MESSAGE.replace(b"a@world.test", sender.encode())
    factory = smtp.ESMTPSenderFactory(
        user.encode(),
        password.encode(),
        sender,
        recipient,
        BytesIO(message.replace(b"\r\n", b"\n")),  # Twisted makes CRLF of LF
        result,
        contextFactory=trusting(ca),
        requireAuthentication=True,
        requireTransportSecurity=True,
        heloFallback=False,
    )
    point: Any = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    yield point.connect(Quiet(factory))
    accepted, replies = yield result
    return {"accepted": accepted, "replies": replies}


class Quiet(protocol.Factory):
    """Lets a client factory serve an endpoint."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def buildProtocol(self, addr: Any) -> Any:
        return self._factory.buildProtocol(addr)


def trusting(ca: str) -> Any:
    """TLS options that trust that certificate only."""
    trusted = ssl.Certificate.loadPEM(Path(ca).read_bytes())
    return ssl.optionsForClientTLS("localhost", trustRoot=trusted)


def plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def main(_reactor: Any) -> Any:
    what, port, *rest = sys.argv[1:]
    done = (read if what == "imap" else send)(int(port), *rest)
    done.addCallback(lambda seen: print(json.dumps(seen, default=plain)))
    done.addTimeout(20, reactor)
    return done


if __name__ == "__main__":
    task.react(main)
