"""What storage/sign_ups.py takes and gives. Nothing here is a code."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NewType

SignUpId = NewType("SignUpId", int)

LIFE: Final = 600.0
"""Seconds that a code is good for."""
TRIES: Final = 5
TAKEN: Final = 1000
"""What stands for the tries of a code that was right, while the account is made."""
OF_NAME: Final = 4
"""Codes for one name to one target from one peer in 24 hours."""
OF_TARGET: Final = 10
"""Codes to one target in 24 hours."""
LIVE_OF_NAME: Final = 3
"""Codes for one name that are good at the same time."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of codes in 24 hours, and of accounts that were made with one number or address.

    `pause` are the seconds between the first two for one name and target;
    each further one waits twice as long.
    """

    of_all: int
    of_target: int = OF_TARGET
    of_name: int = OF_NAME
    of_peer: int = 20
    pause: float = 30.0
    accounts: int = 5


@dataclass(frozen=True, slots=True)
class NewSignUp:
    """`key` is the address for look-ups, `target` where the code goes; `peer` the network of who
    asks, `limited` whether it has a bound of its own; `invite` the digest of one.
    """

    key: str
    address: str
    name: str
    password_hash: str = field(repr=False)
    scram: str = field(repr=False)
    target: str
    peer: str
    limited: bool
    invite: bytes | None = field(repr=False)
    salt: bytes = field(repr=False)
    code: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Applied:
    """`wait` above 0: nothing was done, and may be asked again after so many seconds. `sends`:
    whether the code is to leave.
    """

    sends: bool = False
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class SignUp:
    """One whose code was right, at the try behind `tries` wrong ones."""

    id: SignUpId
    address: str
    name: str
    password_hash: str = field(repr=False)
    scram: str = field(repr=False)
    target: str
    invite: bytes | None = field(repr=False)
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """One that waits for its code, as administrators see it; `expires` in seconds since 1970."""

    id: SignUpId
    address: str
    name: str
    target: str
    tries: int
    expires: float


class Checked(Enum):
    """Why a code is not taken."""

    WRONG = "wrong"
    EXPIRED = "expired"
