"""What a clean stop leaves to the next start, so that a thousand clients that come back at once
cost a sixteenth of their hashes.

Of each account that logged in within a day one bcrypt hash of its password is kept, of four rounds
less than the stored one, with a hash of that stored one. Invariants: no password; worthless ten
minutes after it was written, or as soon as the stored hash is another; the file has mode 0600 and
is removed before it is read.
"""

import json
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from cachetools import TTLCache

from config.clock import Clock
from storage.values import AccountId

NAME: Final = "verified-logins"
SECONDS: Final = 600.0
DAY: Final = 86_400.0
CAPACITY: Final = 20_000
MAX_SIZE: Final = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Left:
    """`stored` is a hash of the account's stored hash, `quick` a bcrypt hash of its password."""

    stored: str
    quick: str


class Handover:
    """`take` at the start, `leave` at the stop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: TTLCache[AccountId, Left] = TTLCache(CAPACITY, DAY, clock.monotonic)
        self._taken: dict[AccountId, Left] = {}
        self._until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether what was taken still counts."""
        if self._taken and self._clock.now() >= self._until:
            self._taken.clear()
        return bool(self._taken)

    def of(self, account: AccountId, stored: str) -> str | None:
        """The quick hash for an account with this stored hash."""
        left = self._taken.get(account) if self.is_open else None
        return left.quick if left is not None and left.stored == _digest(stored) else None

    def has(self, account: AccountId, stored: str) -> bool:
        """Whether the account will be handed over."""
        left = self._kept.get(account)
        return left is not None and left.stored == _digest(stored)

    def keep(self, account: AccountId, stored: str, quick: str) -> None:
        """A login was verified."""
        self._kept[account] = Left(_digest(stored), quick)

    def forget(self, account: AccountId) -> None:
        """Its password is another, or it is gone."""
        self._kept.pop(account, None)
        self._taken.pop(account, None)

    def take(self, folder: Path) -> None:
        """Removes the file, then reads it. Blocks on the disk; raises OSError. A file that is not
        ours, too old or not understood is as none.
        """
        try:
            opened = os.open(folder / NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        with os.fdopen(opened, "rb") as file:
            (folder / NAME).unlink()
            about = os.fstat(file.fileno())
            if about.st_uid != os.geteuid() or about.st_mode & 0o077:
                return
            text = file.read(MAX_SIZE + 1)
        try:
            self._read(json.loads(text))
        except (ValueError, TypeError, KeyError):
            self._taken.clear()

    def leave(self, folder: Path) -> None:
        """Writes the file, when there is something to leave. Blocks on the disk; raises OSError."""
        if not self._kept:
            return
        logins = [[account, left.stored, left.quick] for account, left in self._kept.items()]
        (folder / NAME).unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(folder / NAME, flags, 0o600), "w") as file:
            json.dump({"written": self._clock.now(), "logins": logins}, file)

    def _read(self, found: dict[str, object]) -> None:
        written, logins = found["written"], found["logins"]
        if not isinstance(written, float) or not isinstance(logins, list):
            raise TypeError
        now = self._clock.now()
        if not written <= now < written + SECONDS:
            return
        self._until = written + SECONDS
        for account, stored, quick in logins[:CAPACITY]:
            self._taken[AccountId(int(account))] = Left(str(stored), str(quick))


def _digest(stored: str) -> str:
    return blake2b(stored.encode(), digest_size=16).hexdigest()
