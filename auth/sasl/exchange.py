"""What every SASL mechanism (RFC 4422 §3) shares: the values of an exchange, and decoding.

An exchange is fed base64 as it stands on the wire, without CRLF, and answers with a value; lines,
reply codes and the `AUTH`/`AUTHENTICATE` verbs belong to the protocols (RFC 4954, RFC 9051 §6.2.2).
Invariants: nothing here does I/O; no value shows a password in its repr.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from auth.sasl.keys import KeyOffer, Keys

# RFC 4954 §4: a server must take responses of this many octets of base64; no more are taken here.
MAX_RESPONSE = 12288


class Reason(Enum):
    """Why an exchange ended without credentials."""

    MALFORMED = "malformed"
    NOT_BASE64 = "not base64"
    OTHER_USER = "an authorization identity of another user"
    CANCELLED = "cancelled"
    TOO_LONG = "too long"


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send `wire` to the client (SMTP `334 wire`, IMAP `+ wire`) and step with its answer."""

    data: bytes

    @property
    def wire(self) -> bytes:
        """The challenge in base64, without CRLF; empty for an empty challenge."""
        return b64encode(self.data)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name as sent and a password, to be given to Authenticator.login; `acting` is the user
    as whom, where that is another one.
    """

    user: str
    password: str = field(repr=False)
    acting: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The exchange is over; `text` is safe to send. What the reasons are on the wire is in
    smtp/verbs.py and imap/commands/login.py.
    """

    reason: Reason
    text: str


@dataclass(frozen=True, slots=True)
class NeedsKeys:
    """A user name for which keys are to be looked up (Authenticator.scram_keys) and given to
    `take`, whether there is such a user or not. `mechanism` is that of the keys: "SCRAM-SHA-256".
    """

    user: str
    mechanism: str
    take: Callable[[KeyOffer], "Step"] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """The client proved that it knows the password of `keys`, which are those of `mechanism`; for
    Authenticator.login_scram. `data` belongs to the success (RFC 4422 §3.6): the proof that the
    server has the keys too.
    """

    user: str
    mechanism: str
    keys: Keys
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unproved:
    """The client's proof is wrong; for Authenticator.login_scram."""

    user: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token (RFC 6750), for Authenticator.login_bearer; `user` is "" when none was named. When
    it is refused, `error` is a last challenge, whose answer means nothing (RFC 7628 §3.2.3).
    """

    user: str
    token: str = field(repr=False)
    error: bytes


@dataclass(frozen=True, slots=True)
class External:
    """Who the client says to be, "" for whom its certificate names, and the mail addresses in that;
    for Authenticator.login_external.
    """

    user: str
    names: tuple[str, ...]


Final = Credentials | Verified | Unproved | Bearer | External | Failure
Step = Challenge | NeedsKeys | Final
CANCELLED = Failure(Reason.CANCELLED, "Authentication cancelled")
OTHER_USER = Failure(Reason.OTHER_USER, "Authorization identity must be empty or the user name")


class Exchange(Protocol):
    """One run of a mechanism; not to be used again after a step that is Final."""

    def start(self, initial: bytes | None) -> Step:
        """`initial` is the initial response in base64, b"=" an empty one, None when absent."""

    def step(self, response: bytes) -> Step:
        """The client's answer to the last Challenge; b"*" cancels."""


def malformed(text: str) -> Failure:
    """A Failure for a response that breaks the mechanism's rules."""
    return Failure(Reason.MALFORMED, text)


def decode(response: bytes) -> bytes | Failure:
    """The octets of one response, or why it is refused. Whitespace around it is not taken."""
    if response == b"*":
        return CANCELLED
    if len(response) > MAX_RESPONSE:
        return Failure(Reason.TOO_LONG, "Authentication response too long")
    try:
        return b64decode(response, validate=True)
    except binascii.Error:
        return Failure(Reason.NOT_BASE64, "Response is not base64")


def decode_initial(initial: bytes) -> bytes | Failure:
    """As decode, for an initial response, where b"=" means an empty one (RFC 4959 §3)."""
    return b"" if initial == b"=" else decode(initial)


def text_of(octets: bytes, what: str) -> str | Failure:
    """UTF-8 without NUL, as RFC 4616 §2 wants user names and passwords."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return malformed(f"{what} is not UTF-8")
    return malformed(f"{what} contains NUL") if "\0" in text else text
