"""The AuthService that HTTP routes to: what is asked of it, and what comes back.

In one process it is auth/local_service.py; another implementation may ask a service elsewhere.
Errors are one Problem, whose fault the gateway turns into a status.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

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


class Problem(Exception):
    """`detail` is one plain sentence, safe to show; `wait` seconds after which it may be asked
    again, 0 where that helps nothing; `factors` what a second factor may be, where one is needed.
    """

    def __init__(
        self,
        fault: Fault,
        detail: str = "",
        *,
        wait: float = 0.0,
        factors: tuple[str, ...] = (),
    ) -> None:
        super().__init__(detail or fault.value)
        self.fault, self.wait, self.factors = fault, wait, factors


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
