"""What a filter of one's own is written with: a message, its context, and verdicts.

A filter is a file in the folder `filters.own` with a function

    def check(message: Message, context: Context) -> Verdict | None: ...

Beside it may stand SHADOW = True (what it says is recorded and not used) and TIMEOUT = 0.5
(seconds). Names here stay as they are; the page for authors is docs/filters.md.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from filters.spam.reading import Reading, read
from message.authors import AuthorsError, authors
from message.headers import all_values, first, header_block, iter_fields, unfold
from message.words import decode_words

__all__ = [
    "Action",
    "Attachment",
    "Authenticated",
    "Context",
    "Link",
    "Message",
    "Symbol",
    "Verdict",
    "accept",
    "defer",
    "junk",
    "quarantine",
    "reject",
    "symbol",
    "tag",
]


class Action(Enum):
    """What becomes of the message, in order of severity."""

    ACCEPT = "accept"
    JUNK = "junk"
    QUARANTINE = "quarantine"
    DEFER = "defer"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name under which a finding is recorded; its weight is added to the message's score."""

    name: str
    weight: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter says. Made by the functions below, and joined by `+`."""

    action: Action = Action.ACCEPT
    text: str = ""
    symbols: tuple[Symbol, ...] = ()
    tags: frozenset[str] = frozenset()

    def __add__(self, other: "Verdict") -> "Verdict":
        """Both: the worse action with its text, all symbols, all tags."""
        order = list(Action)
        worse = other if order.index(other.action) > order.index(self.action) else self
        symbols = self.symbols + other.symbols
        return Verdict(worse.action, worse.text, symbols, self.tags | other.tags)


def accept() -> Verdict:
    """Nothing to say; the same as returning None. It overrules no other filter."""
    return Verdict()


def junk(reason: str = "") -> Verdict:
    """Delivers into Junk."""
    return Verdict(Action.JUNK, reason)


def quarantine(reason: str = "") -> Verdict:
    """Keeps the message from its recipients until somebody releases it."""
    return Verdict(Action.QUARANTINE, reason)


def defer(text: str) -> Verdict:
    """Refuses for now; the sender's server reads `text` and tries again."""
    return Verdict(Action.DEFER, text)


def reject(text: str) -> Verdict:
    """Refuses; the sender reads `text`."""
    return Verdict(Action.REJECT, text)


def tag(*keywords: str) -> Verdict:
    """Gives the delivered message IMAP keywords."""
    return Verdict(tags=frozenset(keywords))


def symbol(name: str, weight: float = 0.0, detail: str = "") -> Verdict:
    """Records a finding, and adds its weight to the score."""
    return Verdict(symbols=(Symbol(name, weight, detail),))


@dataclass(frozen=True, slots=True)
class Authenticated:
    """One result of authentication: `method` is spf, dkim, dmarc or arc, `result` pass, fail and
    so on (RFC 8601 §2.7), `domain` the one that it is about.
    """

    method: str
    result: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a message comes from and goes to.

    `kind` is smtp (from other servers), submission (from users) or lmtp. `peer` is an address,
    `reverse` its verified name or "", `local` whether it is in filters.local_networks. `account` is
    the address of the user who submits, "" from outside; `sender` the return path, "" the null one.
    `symbols` and `score` are what filters before this one found.
    """

    kind: str = "smtp"
    peer: str = ""
    reverse: str = ""
    local: bool = False
    helo: str = ""
    tls: str = ""
    account: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    size: int = 0
    authentication: tuple[Authenticated, ...] = ()
    symbols: tuple[str, ...] = ()
    score: float = 0.0

    def passed(self, method: str, domain: str = "") -> bool:
        """Whether a method passed, for that domain where one is given."""
        return any(
            one.method == method and one.result == "pass" and domain in ("", one.domain)
            for one in self.authentication
        )


@dataclass(frozen=True, slots=True)
class Link:
    """`kind` is a, img, form or plain (in text); `text` is what a reader sees of it."""

    target: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """`type` is the declared one (image/png), `kind` what its first octets show it to be (png, exe,
    zip; "" unknown), `size` in octets, decoded.
    """

    name: str
    type: str
    kind: str
    size: int


class Message:
    """A message as it arrived. All is read when it is first asked for; no bytes raise."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def header_block(self) -> bytes:
        """The raw header with its blank line."""
        return header_block(self.raw)

    def header(self, name: str) -> str:
        """The first field of that name, unfolded and decoded; "" without one."""
        value = first(self.header_block, name.encode("utf-8", "replace"))
        return "" if value is None else decode_words(value)

    def headers(self, name: str) -> list[str]:
        """Every field of that name."""
        values = all_values(self.header_block, name.encode("utf-8", "replace"))
        return [decode_words(value) for value in values]

    @cached_property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Name and decoded value of every field, in order."""
        found = iter_fields(self.header_block)
        return tuple((one.name.decode(), decode_words(unfold(one.value))) for one in found)

    @property
    def subject(self) -> str:
        """The decoded subject."""
        return self.header("Subject")

    @cached_property
    def authors(self) -> tuple[str, ...]:
        """The addresses in From."""
        try:
            found = authors(self.header_block)
        except AuthorsError:
            return ()
        return tuple(found.addresses) if found is not None else ()

    @property
    def text(self) -> str:
        """The decoded text of its plain parts; of its HTML parts where it has no plain ones."""
        return self._read.plain or self._read.html

    @property
    def html(self) -> str:
        """The source of its HTML parts, decoded."""
        return self._read.markup

    @property
    def hidden(self) -> str:
        """What HTML holds and no reader sees."""
        return self._read.hidden

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Of HTML and of plain text, in order, 500 at most."""
        return tuple(Link(one.target, one.text, one.kind) for one in self._read.links)

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """What is no text to be read in place, 200 at most."""
        found = self._read.attachments
        return tuple(Attachment(one.name, one.type, one.kind, one.size) for one in found)

    @cached_property
    def _read(self) -> Reading:
        return read(self.raw)
