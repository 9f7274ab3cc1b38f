"""What an import source offers, whatever its format. Values only; reading is the formats' work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from storage.values import NO_FLAGS, Flags


class ImportRefused(Exception):
    """The source can't be imported; `str(error)` says why on one line."""


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message. `read()` blocks on the disk and gives its bytes as they stand in the source.

    `size` is about what `read()` gives, in octets. `uid` is 0 where the source has none.
    """

    read: Callable[[], bytes]
    size: int
    flags: Flags = NO_FLAGS
    internaldate: float = 0.0
    uid: int = 0


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """One mailbox with its messages in order (ascending by UID where they have one).

    `uidvalidity` is 0 where the source has none; `uidnext` is then 0 too.
    """

    name: str
    messages: Sequence[SourceMessage] = field(default_factory=tuple)
    uidvalidity: int = 0
    uidnext: int = 0
    special_use: str = ""
    subscribed: bool | None = None
