"""What the audit log holds: who logged in or failed to, and what was done to secrets."""

from dataclasses import dataclass
from enum import Enum

from storage.values import AccountId

NOBODY = AccountId(0)


class Kind(Enum):
    """What happened; the value is stored and shown."""

    LOGIN = "login"
    FAILED = "login failed"
    CLIENT = "client named itself"
    BLOCKED = "network blocked"
    CREATED = "account created"
    ENABLED = "account enabled"
    DISABLED = "account disabled"
    DELETED = "account deleted"
    PASSWORD = "password changed"  # noqa: S105 - a kind of event
    MADE = "credential made"
    REVOKED = "credential revoked"
    FACTOR_ON = "second factor on"
    FACTOR_OFF = "second factor off"
    RECOVERY = "recovery code used"
    RIGHTS = "rights changed"
    ROLE = "role changed"
    ADMINISTERED = "changed by another"
    SENT_FOR = "sent by another"
    CONSENT = "client allowed"
    DENIED = "client refused"
    ACTED = "agent acted"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: equal events are one with a `count` and the times of the first and the
    last, in seconds since 1970.

    `account` is 0 where it is none of ours, `name` its address; `address` the peer's IP address,
    `client` how the client called itself, `credential` the id of an app password, token or session.
    """

    kind: Kind
    account: AccountId = NOBODY
    name: str = ""
    address: str = ""
    protocol: str = ""
    client: str = ""
    credential: str = ""
    detail: str = ""
    first: float = 0.0
    last: float = 0.0
    count: int = 1
