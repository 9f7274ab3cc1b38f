"""SMTP for the player of transcripts: which listener, what was accepted, and what stands in it.

`# on submission` names the listener (smtp without it). `V:` compares words `name=text` with the
last accepted delivery; `...` at the end of a text stands for anything. Names are those of
storage.values.Delivery and of `_facts`.
"""

import base64
import re

from storage.values import Delivery
from tests.support.dialogue import Step
from tests.support.directories import PASSWORD
from tests.support.imap_server import Client
from tests.support.smtp_receiving import ADA, BEN, Receiving

_ON = re.compile(r"^# on (\w+)$", re.MULTILINE)


def plain(address: str) -> str:
    """The initial response of AUTH PLAIN."""
    return base64.b64encode(f"\0{address}\0{PASSWORD}".encode()).decode()


class SmtpStage:
    """Plays against one listener of a running server."""

    def __init__(self, running: Receiving, text: str) -> None:
        found = _ON.search(text)
        self._listener = found[1] if found else "smtp"
        self._running = running
        self._clients: list[Client] = []
        self.names = {"plain": plain(BEN), "admin": plain(ADA)}

    async def connect(self) -> Client:
        port = self._running.at(self._listener).port
        client = await Client.connect(port, self._listener == "submissions")
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.close()

    async def perform(self, step: Step) -> None:
        store = self._running.store
        if step.kind == "N":
            assert len(store.delivered) == int(step.text), f"line {step.line}"
            return
        found = _facts(store.delivered[-1], store.bodies[-1])
        for word in step.text.split():
            name, _, wanted = word.partition("=")
            text = found[name]
            fits = text.startswith(wanted[:-3]) if wanted.endswith("...") else text == wanted
            assert fits, f"line {step.line}: {name} is {text!r}, expected {wanted!r}"


def _facts(delivery: Delivery, body: bytes) -> dict[str, str]:
    queued = delivery.queued[0] if delivery.queued else None
    by = delivery.deliver_by
    head, _, rest = body.partition(b"\r\n\r\n")
    names = [found.decode().lower() for found in re.findall(rb"^([!-9;-~]+):", head, re.MULTILINE)]
    facts = {name: str(getattr(delivery, name)) for name in delivery.__slots__}
    return facts | {
        "to": ",".join(one.address for one in delivery.queued),
        "local": ",".join(one.address for one in delivery.local),
        "notify": queued.notify if queued else "",
        "orcpt": queued.orcpt if queued else "",
        "by": f"{by.mode}{'T' if by.trace else ''}" if by else "",
        "for": str(round(by.at - delivery.received_at)) if by else "",
        "held": str(round((delivery.hold_until or 0) - delivery.received_at, -1)),
        "body": repr(rest)[2:-1].replace(" ", "_"),
        "report": _field(rest, rb"Action"),
        "original": _field(rest, rb"Original-Recipient"),
        "id": _field(rest, rb"Original-Envelope-Id"),
        "fields": ",".join(names),
        "with": (re.search(rb"\bwith (\S+) id", head) or [b"", b""])[1].decode(),
    }


def _field(body: bytes, name: bytes) -> str:
    found = re.search(rb"^" + name + rb": (.*?)\r$", body, re.MULTILINE)
    return found[1].decode().replace(" ", "_") if found else ""
