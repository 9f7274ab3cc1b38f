"""The AuthService that HTTP routes to: what is asked of it, and what comes back.

In one process it is auth/local_service.py; another implementation may ask a service elsewhere.
Errors are one Problem, whose fault the gateway turns into a status.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from auth.caller import Caller


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
    WRONG_CODE = "The code is wrong"
    EXPIRED = "The code is not good any more"
    CLOSED = "Sign-up is closed"
    INVITE = "An invite is needed"
    TOO_MANY = "Too many requests"
    BUSY = "The server is busy"


class Problem(Exception):
    """`detail` is one plain sentence, safe to show; `wait` seconds after which it may be asked
    again, 0 where that helps nothing.
    """

    def __init__(self, fault: Fault, detail: str = "", *, wait: float = 0.0) -> None:
        super().__init__(detail or fault.value)
        self.fault, self.detail, self.wait = fault, detail, wait


class AuthService(Protocol):
    """Everything raises Problem and StoreError."""

    async def register(self, registration: Registration, caller: Caller) -> None:
        """Sends a code where it may; what comes back never tells whether it did."""

    async def verify(self, username: str, code: str, caller: Caller) -> str:
        """The address of the account that the code made."""
