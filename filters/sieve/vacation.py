"""vacation (RFC 5230), with `:seconds` (RFC 6131) and `:fcc` (RFC 8580).

Who may be answered is decided here; whether somebody was answered already is not known here.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from filters.sieve.actions import FileInto, Vacation
from filters.sieve.errors import Mistake
from filters.sieve.filing import (
    CREATE,
    MAILBOX_ID,
    SPECIAL_USE,
    FileIntoNode,
    address_of,
    filing_of,
)
from filters.sieve.flags import FLAGS
from filters.sieve.signature import Definition, Given, Option, Type
from filters.sieve.state import Flow, Node, Run
from filters.sieve.strings import Text, Texts
from message.address import AddressError
from message.automatic import Incoming, refusal

DAY: Final = 86400
MIN_SECONDS: Final = 60
MAX_SECONDS: Final = 31 * DAY  # as long as storage/answered.py remembers
DEFAULT_DAYS: Final = 7
FCC: Final = (Option(":fcc", Type.STRING, "fcc"), FLAGS, CREATE, SPECIAL_USE, MAILBOX_ID)


@dataclass(frozen=True, slots=True)
class VacationNode:
    """`handle` None: one of its own for each different answer (RFC 5230 §4.2)."""

    reason: Text
    seconds: int
    subject: Text
    sender: Text
    addresses: Texts
    mime: bool
    handle: Text | None
    fcc: FileIntoNode | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        known = run.environment
        reason, subject = self.reason.of(run), self.subject.of(run)
        sender, others = self._sender(run), self.addresses.of(run)
        own = {known.recipient.lower(), *known.addresses, *(one.lower() for one in others)}
        incoming = Incoming(
            known.sender, run.mail.header, frozenset(own), known.forged, known.suspicious
        )
        handle = _handle(subject, sender, str(self.mime), reason)
        if self.handle is not None:
            handle = self.handle.of(run)
        action = Vacation(
            reason, known.sender, self.seconds, handle, subject, sender, others, self.mime,
            refusal(incoming), fcc_of(self.fcc, run), run.place(self.line),
        )  # fmt: skip
        run.add(action)
        return None

    def _sender(self, run: Run) -> str:
        """An author that is no address is left out (RFC 5230 §4.4)."""
        text = self.sender.of(run)
        try:
            return text and (text if address_of(text) else "")
        except AddressError as error:
            run.warn(self.line, f":from of vacation is left out: {error}")
            return ""


def fcc_of(node: FileIntoNode | None, run: Run) -> FileInto | None:
    """Where a copy of what is sent goes; the flags of the message are not those of the copy."""
    if node is None:
        return None
    made = node.action(run)
    flags = made.flags if node.flags is not None else ()
    return FileInto(made.mailbox, flags, False, made.create, made.special_use, made.place)


def fcc_node(given: Given) -> FileIntoNode | None:
    """`:fcc` and the tags that only mean something beside it (RFC 8580 §3.2)."""
    for name in (":flags", ":create", ":specialuse", ":mailboxid"):
        given.only_with(name, ":fcc")
    return filing_of(given, ":fcc") if given.has(":fcc") else None


def _handle(*texts: str) -> str:
    """Not to be told from one that a script names; the same for the same answer."""
    octets = "\0".join(texts).encode("utf-8", "replace")
    return ":" + hashlib.blake2b(octets, digest_size=12).hexdigest()


def _vacation(given: Given) -> Node:
    compiler = given.compiler
    sender = compiler.string(given, ":from")
    if sender.constant:
        try:
            address_of(sender.constant)
        except AddressError as error:
            raise Mistake(f"{error}", given.offset(":from")) from error
    seconds = given.number(":seconds")
    if seconds is None:
        days = given.number(":days")
        seconds = max(DEFAULT_DAYS if days is None else days, 1) * DAY
    return VacationNode(
        compiler.string(given, 0),
        min(max(seconds, MIN_SECONDS), MAX_SECONDS),
        compiler.string(given, ":subject"),
        sender,
        compiler.texts(given, ":addresses"),
        given.has(":mime"),
        compiler.string(given, ":handle") if given.has(":handle") else None,
        fcc_node(given),
        given.line,
    )


COMMANDS: Final = (
    Definition(
        "vacation",
        _vacation,
        "vacation",
        (
            Option(":days", Type.NUMBER, group="time"),
            Option(":seconds", Type.NUMBER, "vacation-seconds", "time"),
            Option(":subject", Type.STRING),
            Option(":from", Type.STRING),
            Option(":addresses", Type.STRINGS),
            Option(":mime"),
            Option(":handle", Type.STRING),
            *FCC,
        ),
        (Type.STRING,),
    ),
)
TESTS: Final = ()
