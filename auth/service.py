"""The AuthService that HTTP routes to: what is asked of it, and what comes back.

In one process it is auth/local_service.py; another implementation may ask a service elsewhere.
Errors are one Problem, whose fault the gateway turns into a status.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from auth.caller import Caller
from net.contract import called
from storage.credential_values import CredentialId
from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody signs up with; the code goes to `phone`, or to the address `email`."""

    username: str
    password: str = field(repr=False)
    phone: str = ""
    email: str = ""
    name: str = ""
    invite: str = field(default="", repr=False)


class Fault(Enum):
    """What is wrong; the value may be shown."""

    INVALID = "The request is not valid"
    CREDENTIALS = "Authentication failed"
    SECOND_FACTOR = "A code of the second factor is needed"
    TOKEN = "The token is not good, or not good any more"  # noqa: S105 - a fault
    WRONG_CODE = "The code is wrong"
    EXPIRED = "The code is not good any more"
    CLOSED = "Sign-up is closed"
    INVITE = "An invite is needed"
    TOO_MANY = "Too many requests"
    BUSY = "The server is busy"
    STALE = "Log in again first"
    ABSENT = "There is no such thing"
    CONFLICT = "It is there already"


class Problem(Exception):
    """`detail` is one plain sentence, safe to show; `wait` seconds after which it may be asked
    again, 0 where that helps nothing; `factors` what a second factor may be, where one is needed,
    and `ticket` what stands for the password then.
    """

    def __init__(
        self,
        fault: Fault,
        detail: str = "",
        *,
        wait: float = 0.0,
        factors: tuple[str, ...] = (),
        ticket: str = "",
    ) -> None:
        super().__init__(detail or fault.value)
        self.fault, self.wait, self.factors, self.ticket = fault, wait, factors, ticket


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """Of a session: `access` is good for `seconds`, `refresh` once."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds: int


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is logged in in a browser; `since` in seconds since 1970."""

    account: AccountId
    address: str
    session: CredentialId
    since: float


@dataclass(frozen=True, slots=True)
class PasskeyInfo:
    """A passkey as its owner sees it; times in seconds since 1970. `synced`: it may be on several
    devices. `factor`: it is a second factor, too.
    """

    id: int
    name: str
    created: float
    used: float | None
    used_from: str
    synced: bool
    factor: bool


@dataclass(frozen=True, slots=True)
class NewFactor:
    """What was switched on; `codes` are the recovery codes that come with an account's first second
    factor, shown this once. `passkey` where it is one.
    """

    codes: tuple[str, ...] = field(default=(), repr=False)
    passkey: PasskeyInfo | None = None


@dataclass(frozen=True, slots=True)
class FactorState:
    """`kinds` of totp, sms, passkey and recovery_code; empty when the password is enough."""

    kinds: tuple[str, ...]
    recovery_codes: int
    phone: str = ""


class AuthService(Protocol):
    """Everything raises Problem and StoreError."""

    async def register(self, registration: Registration, caller: Caller) -> None:
        """Sends a code where it may; what comes back never tells whether it did."""

    async def verify(self, username: str, code: str, caller: Caller) -> str:
        """The address of the account that the code made."""

    async def login(self, username: str, password: str, code: str, caller: Caller) -> SessionTokens:
        """Opens a session with the account's password, and a code where there is a second factor
        ("" for none).
        """

    async def refresh(self, token: str, caller: Caller) -> SessionTokens:
        """Other tokens for a refresh token, which is spent by it."""

    async def enter(self, username: str, password: str, code: str, caller: Caller) -> str:
        """Opens a session of a browser as `login` does; the value of its cookie."""

    @called(idempotent=True)
    async def visitor(self, cookie: str) -> Visitor | None:
        """Who is logged in by this cookie, None for nobody any more."""

    @called(idempotent=True)
    async def leave(self, visitor: Visitor) -> None:
        """Ends the session of a browser."""

    async def logout(self, token: str, caller: Caller) -> None:
        """Ends the session of an access token, also of one whose time is over."""

    async def second_step(self, ticket: str, code: str, caller: Caller) -> SessionTokens:
        """Goes on with a login whose password was right, by a code of the app, one that came by
        SMS, or a recovery code.
        """

    async def enter_second(self, ticket: str, code: str, caller: Caller) -> str:
        """The same for a browser; the value of its cookie."""

    async def passkey_enter(self, answer: dict[str, Any], ticket: str, caller: Caller) -> str:
        """As `passkey_login` for a browser; the value of its cookie."""

    async def reset_begin(self, username: str, caller: Caller) -> None:
        """Sends a code for a forgotten password where it may; what comes back never tells whether
        it did.
        """

    async def reset(
        self, username: str, code: str, password: str, second: str, caller: Caller
    ) -> None:
        """Sets a password by that code, and by a code of the app or a recovery code where there is
        a second factor ("" for none). Every session ends.
        """

    async def send_code(self, ticket: str, caller: Caller) -> None:
        """Sends the code of such a login by SMS."""

    async def passkey_options(self, ticket: str, caller: Caller) -> dict[str, Any]:
        """PublicKeyCredentialRequestOptionsJSON (WebAuthn Level 3 §5.1.9): for the second step of
        such a login, with "" for a login without user name and password.
        """

    async def passkey_login(
        self, answer: dict[str, Any], ticket: str, caller: Caller
    ) -> SessionTokens:
        """Opens a session by what a passkey signed (AuthenticationResponseJSON)."""

    async def passkey_begin(self, token: str, caller: Caller) -> dict[str, Any]:
        """PublicKeyCredentialCreationOptionsJSON, for a session that was opened moments ago."""

    async def passkey_register(
        self, token: str, answer: dict[str, Any], name: str, factor: bool, caller: Caller
    ) -> NewFactor:
        """Stores what a browser made (RegistrationResponseJSON); with `factor` the account's
        password is not enough any more.
        """

    @called(idempotent=True)
    async def passkeys(self, token: str, caller: Caller) -> list[PasskeyInfo]:
        """Those of the session's account."""

    @called(idempotent=True)
    async def passkey_rename(
        self, token: str, number: int, name: str, caller: Caller
    ) -> PasskeyInfo:
        """Gives one another name."""

    async def passkey_delete(self, token: str, number: int, caller: Caller) -> None:
        """Deletes one, for a session that was opened moments ago."""

    @called(idempotent=True)
    async def factors(self, token: str, caller: Caller) -> FactorState:
        """What the second factor of the session's account may be."""

    async def sms_begin(self, token: str, phone: str, caller: Caller) -> None:
        """Sends a first code to a phone, for a session that was opened moments ago."""

    async def sms_confirm(self, token: str, code: str, caller: Caller) -> NewFactor:
        """Takes the phone as second factor."""

    @called(idempotent=True)
    async def sms_remove(self, token: str, caller: Caller) -> None:
        """Takes it no more, for a session that was opened moments ago."""
