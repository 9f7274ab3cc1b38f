"""What comes of a login: a Login or a Refused with its Cause."""

from dataclasses import dataclass, field
from enum import Enum

from auth.grant import FULL, Grant
from storage.directory_values import AccountChange
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Login:
    """A verified account. `address` is the account's own, whatever was typed; `grant` what the
    login is good for; `by` the administrator who acts as the account (auth/acting.py).
    """

    account: AccountId
    address: str
    admin: bool
    grant: Grant = FULL
    by: AccountId | None = None

    def ended_by(self, change: AccountChange) -> bool:
        """Whether the change ends sessions of this login."""
        used = (self.grant.credential, self.grant.kind)
        if self.by is not None and change.ends(self.by, *used):
            return True
        return change.ends(self.account, *used)


class Cause(Enum):
    """Why a login was refused; for logs and metrics."""

    CREDENTIALS = "wrong user name or password"
    THROTTLED = "too many failures"
    BUSY = "too many logins waiting"
    PROTOCOL = "not good for this protocol"
    NETWORK = "not good from this address"
    EXPIRED = "expired"
    APP_PASSWORD = "app password needed"  # noqa: S105 - a cause
    CODE = "second factor needed"
    WRONG_CODE = "wrong code"
    TICKET = "login begun too long ago"
    ACTING = "may not act for the user"


@dataclass(frozen=True, slots=True)
class Refused:
    """`temporary`: SMTP 454 4.7.0, IMAP NO [UNAVAILABLE]; else SMTP 535 5.7.8, IMAP NO
    [AUTHENTICATIONFAILED]. `text` is safe to send. Where a second factor is to come: what it may
    be, and the ticket with which Authenticator.login_second goes on.
    """

    cause: Cause
    factors: tuple[str, ...] = ()
    ticket: str = field(default="", repr=False)

    @property
    def temporary(self) -> bool:
        return self.cause in (Cause.THROTTLED, Cause.BUSY)

    @property
    def text(self) -> str:
        return _TEXTS[self.cause]


_TEXTS = {
    Cause.CREDENTIALS: "Authentication failed",
    Cause.THROTTLED: "Too many failed logins, try again later",
    Cause.BUSY: "Server busy, try again later",
    Cause.PROTOCOL: "This password is not for this protocol",
    Cause.NETWORK: "This password is not for use from your address",
    Cause.EXPIRED: "This password has expired",
    Cause.APP_PASSWORD: "The account has a second factor: use an app password",
    Cause.CODE: "A code of the second factor is needed",
    Cause.WRONG_CODE: "The code is wrong or was used before",
    Cause.TICKET: "Too much time has passed: begin the login again",
    Cause.ACTING: "You may not act for this user",
}
