"""What the blob store gives and takes: blobs, references, bounds and errors. No I/O."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from storage.errors import OverQuota, StoreError

BlobHash = NewType("BlobHash", str)
"""A letter for the hash, `S` for SHA-256, and its digits in hexadecimal."""
LETTER: Final = "S"
_HASH: Final = re.compile(r"S[0-9a-f]{64}")


class NoSuchBlob(StoreError):
    """The account refers to no such blob, whoever else may."""


class BlobTooLarge(StoreError):
    """More octets came than were allowed."""


class BlobQuota(OverQuota):
    """The account keeps as many octets, or blobs, as it may."""


class Kind(StrEnum):
    """What refers to a blob."""

    UPLOAD = "upload"
    DRIVE = "drive"
    PROFILE = "profile"


class Scan(StrEnum):
    """What the virus scanner said; ERROR: it could not look."""

    PENDING = "pending"
    CLEAN = "clean"
    INFECTED = "infected"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Blob:
    """Octets of that hash. `found` names what the scanner found with its `signatures`."""

    hash: BlobHash
    size: int
    created: float
    scan: Scan = Scan.PENDING
    signatures: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """`ref` tells things of a kind apart; `expires` in seconds since 1970, None for never."""

    kind: Kind
    ref: str = ""
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """What an account may keep by references of one kind; 0 for no bound. With `oldest_go` the
    oldest references make room for another, else it is refused.
    """

    octets: int = 0
    blobs: int = 0
    oldest_go: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account keeps, octets that it refers to twice counted once."""

    octets: int
    blobs: int


NO_BOUND: Final = Bound()


def blob_hash(text: str) -> BlobHash | None:
    """The hash that this is, if it is one."""
    return BlobHash(text) if _HASH.fullmatch(text) else None
