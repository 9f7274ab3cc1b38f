"""What a filter sees of a connection, its transaction and the message.

The session that owns a Context changes it between the stages; filters only read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from typing import Protocol

from auth.login_values import Login
from filters.asked import Asked
from filters.authentication.results import Result
from filters.policy import NO_POLICY, Policy
from filters.spam.result import SpamResult
from filters.verdict import Verdict
from message.dkim_body import BodyDigest, BodyForm
from storage.directory_values import Resolution
from storage.values import Content, DeliverBy


class Kind(Enum):
    """How the mail comes in."""

    MX = "smtp"
    SUBMISSION = "submission"
    LMTP = "lmtp"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is connected. `local`: in filters.local_networks. `reverse` is a verified name or ""."""

    address: str
    port: int = 0
    local: bool = False
    reverse: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted recipient: the address as given, where it leads, and its DSN wishes."""

    address: str
    resolution: Resolution
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A received message: its bytes, its header block without the blank line.

    `whole_header` is False when the block did not end within what was looked at; `eightbit` is True
    when any octet is above 127; `headless` when text begins at once, without header or blank line.
    `digests` keeps what was hashed of the body, for the next who asks.
    """

    content: Content
    header: bytes
    whole_header: bool = True
    eightbit: bool = False
    headless: bool = False
    digests: dict[BodyForm, BodyDigest] = field(default_factory=dict, compare=False, repr=False)

    @property
    def body_start(self) -> int:
        """Where the body begins in the content's data or file: a header that was changed may stand
        in the prefix, and its place in the file is passed over.
        """
        blank = 0 if self.headless else len(b"\r\n")
        return self.content.start + len(self.header) + blank - len(self.content.prefix)


class Companion(Protocol):
    """What a filter keeps by its name beside a connection."""

    def reset(self) -> None:
        """The transaction is over."""

    def end(self) -> None:
        """The connection is over."""


@dataclass(slots=True)
class Context:
    """One connection and its present transaction. `tls` is "TLSv1.3 CIPHER" or "".

    `connection` and `trace` (of the message) are the ids that log lines carry. What is asked of
    every hop is as in storage.values.Delivery; `binary`: BODY=BINARYMIME. `results` grows as
    filters find out who the message comes from. `told` is what each stage passed so far has said,
    by the stage's name (in a stage, what its filters so far have), and `asked` what each filter
    said and cost, as far as it is kept. `policy` is that of the stage: of the recipient at RCPT, of
    all at DATA. `spam` is what the spam filter found of the message.
    """

    kind: Kind
    peer: Peer
    connection: str = ""
    tls: str = ""
    helo: str = ""
    extended: bool = False
    login: Login | None = None
    trace: str = ""
    sender: str = ""
    size: int = 0
    smtputf8: bool = False
    eightbit: bool = False
    ret: str = ""
    envid: str = ""
    binary: bool = False
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0
    recipients: list[Recipient] = field(default_factory=list)
    rcpt: Recipient | None = None
    message: Message | None = None
    results: list[Result] = field(default_factory=list)
    told: dict[str, tuple[Verdict, ...]] = field(default_factory=dict)
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    policy: Policy = NO_POLICY
    spam: SpamResult | None = None
    kept: dict[str, Companion] = field(default_factory=dict)

    def forget(self, *stages: str) -> None:
        """What was said at these stages is about something that is over."""
        for stage in stages:
            self.told.pop(stage, None)
            self.asked.pop(stage, None)

    @property
    def verdicts(self) -> Iterator[Verdict]:
        """What the filters of all stages so far have said."""
        return chain.from_iterable(self.told.values())

    @property
    def symbols(self) -> tuple[str, ...]:
        """What all stages so far found, each once."""
        return tuple(dict.fromkeys(one for told in self.verdicts for one in told.symbols))
