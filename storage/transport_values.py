"""Values about the transport security of other mail domains."""

from dataclasses import dataclass
from enum import IntEnum


class TlsLevel(IntEnum):
    """How well a session was protected. AUTHENTICATED: the host proved by DANE, or by a
    certificate for a name from an MTA-STS policy, that the domain's mail is meant for it.
    """

    PLAIN = 0
    ENCRYPTED = 1
    AUTHENTICATED = 2


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """An MTA-STS policy as fetched at `fetched_at` (Unix seconds) under the TXT record `record`;
    `mode` and `mx` as in message/mta_sts.py, `max_age` in seconds.
    """

    domain: str
    record: str
    mode: str
    max_age: int
    mx: tuple[str, ...]
    fetched_at: float

    @property
    def expires(self) -> float:
        return self.fetched_at + self.max_age


@dataclass(frozen=True, slots=True)
class KnownLevel:
    """The best level of a domain, the host that had it, and when it was last seen."""

    domain: str
    level: TlsLevel
    host: str
    seen_at: float
