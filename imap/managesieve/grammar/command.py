"""The commands of RFC 5804 §2 as values. Names are text as sent, scripts octets."""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Authenticate:
    """`initial` is the initial response in base64, None when absent."""

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StartTls:
    """No arguments."""


@dataclass(frozen=True, slots=True)
class Logout:
    """No arguments."""


@dataclass(frozen=True, slots=True)
class Capability:
    """No arguments."""


@dataclass(frozen=True, slots=True)
class HaveSpace:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PutScript:
    name: str
    text: bytes


@dataclass(frozen=True, slots=True)
class ListScripts:
    """No arguments."""


@dataclass(frozen=True, slots=True)
class SetActive:
    """`name` "" makes none active."""

    name: str


@dataclass(frozen=True, slots=True)
class GetScript:
    name: str


@dataclass(frozen=True, slots=True)
class DeleteScript:
    name: str


@dataclass(frozen=True, slots=True)
class RenameScript:
    old: str
    name: str


@dataclass(frozen=True, slots=True)
class CheckScript:
    text: bytes


@dataclass(frozen=True, slots=True)
class Noop:
    """`tag` is given back, None when absent."""

    tag: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """No arguments."""


Command: TypeAlias = (
    Authenticate
    | StartTls
    | Logout
    | Capability
    | HaveSpace
    | PutScript
    | ListScripts
    | SetActive
    | GetScript
    | DeleteScript
    | RenameScript
    | CheckScript
    | Noop
    | Unauthenticate
)
