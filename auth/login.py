"""Who is this: a user name and a password in, a Login or a Refused out.

Hashing waits in one thread with a bounded queue; verified logins are remembered for ten minutes.
Invariants: a name that nobody has costs the same hash as one that somebody has; the answer to a
disabled account or an unknown name is that of a wrong password; no password is kept.
"""

from dataclasses import dataclass
from enum import Enum

from config.clock import Clock
from config.settings import Settings
from net.threads import Offload
from storage.directory import Directory
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Login:
    """A verified account. `address` is the account's own, whatever was typed."""

    account: AccountId
    address: str
    admin: bool


class Cause(Enum):
    """Why a login was refused; for logs and metrics."""

    CREDENTIALS = "wrong user name or password"
    THROTTLED = "too many failures"
    BUSY = "too many logins waiting"


@dataclass(frozen=True, slots=True)
class Refused:
    """`temporary`: SMTP 454 4.7.0, IMAP NO [UNAVAILABLE]; else SMTP 535 5.7.8, IMAP NO
    [AUTHENTICATIONFAILED]. `text` is safe to send.
    """

    cause: Cause

    @property
    def temporary(self) -> bool:
        return self.cause is not Cause.CREDENTIALS

    @property
    def text(self) -> str:
        return _TEXTS[self.cause]


_TEXTS = {
    Cause.CREDENTIALS: "Authentication failed",
    Cause.THROTTLED: "Too many failed logins, try again later",
    Cause.BUSY: "Server busy, try again later",
}


class Authenticator:
    """The one door for passwords of every protocol."""

    def __init__(
        self, settings: Settings, directory: Directory, offload: Offload, clock: Clock
    ) -> None: ...

    async def login(
        self, user: str, password: str, *, peer: str, protocol: str
    ) -> Login | Refused: ...

    async def hash_password(self, password: str) -> str:
        """The hash to store. Raises auth.password.PasswordError, net.threads.Busy."""

    async def close(self) -> None: ...
