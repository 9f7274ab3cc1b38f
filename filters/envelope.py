"""What goes with a message from its acceptance to the store, and what became of each recipient."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from filters.asked import Asked
from filters.authentication.results import Result
from filters.context import Context, Kind, Message, Recipient
from filters.spam.result import SpamResult
from storage.values import AccountId, DeliverBy

_COUNT = itertools.count()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message came from, for its Received field; as message.received.Trace. `port` and
    `login`, the address of the account that sends, are for the record of the message alone.
    """

    helo: str = ""
    address: str = ""
    reverse: str = ""
    protocol: str = "ESMTP"
    tls: str = ""
    port: int = 0
    login: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """`received_at` in seconds since 1970; `account` is the submitting one, None from outside.

    `connection` is the id of the one that brought it, for the log; "" where there was none.
    `headers` are complete fields put above the message and below the trace fields; `results` is
    what authentication found, for the one field that tells of it, `asked` what each filter said, by
    stage, `spam` what the spam filter found, None where it was not asked. What else stands behind
    `connection` is for the queue, as in storage.values.Delivery.
    """

    kind: Kind
    sender: str
    recipients: tuple[Recipient, ...]
    trace: str
    received_at: float
    source: Source = Source()
    account: AccountId | None = None
    smtputf8: bool = False
    eightbit: bool = False
    ret: str = ""
    envid: str = ""
    headers: tuple[bytes, ...] = ()
    results: tuple[Result, ...] = ()
    asked: tuple[Sequence[Asked], ...] = ()
    connection: str = ""
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0
    spam: SpamResult | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one recipient, in the order of the envelope."""

    recipient: str
    code: int
    status: str
    text: str

    @property
    def ok(self) -> bool:
        return self.code < 400


def make_trace() -> str:
    """A message id for logs and Received: unique in a process, in order of time."""
    return f"{time.time_ns() // 1000:x}{next(_COUNT) & 0xFFF:03x}"


def loop_tag(envelope: Envelope) -> str:
    """The same each time a message for the same recipients comes by from outside."""
    names = sorted({recipient.address.casefold() for recipient in envelope.recipients})
    return blake2b("\n".join(names).encode("utf-8", "replace"), digest_size=6).hexdigest()


def needs_smtputf8(context: Context, message: Message) -> bool:
    """Whether a next hop must support SMTPUTF8: asked for, and really used (RFC 6531 §3.4)."""
    return context.smtputf8 and not (
        context.sender.isascii()
        and message.header.isascii()
        and all(recipient.address.isascii() for recipient in context.recipients)
    )
