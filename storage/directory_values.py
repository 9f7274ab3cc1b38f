"""Values and errors of the directory: accounts, aliases, domains, resolutions, changes.

Nothing here does I/O. Addresses compare without case; the spelling given first is kept.
"""

import json
from dataclasses import dataclass, field
from enum import Enum

from storage.credential_values import CredentialId, CredentialKind
from storage.errors import StoreError
from storage.values import AccountId


class DirectoryError(StoreError):
    """Base. `str(error)` names the address and may be shown to an operator."""


class AlreadyExists(DirectoryError):
    """The address, alias or domain is there already."""


class Absent(DirectoryError):
    """No such account, alias or domain."""


class NotAllowed(DirectoryError):
    """The change contradicts something else: a domain not served, a domain still in use."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What one account has of submission; None takes the configuration's value, a limit of 0 is
    none. `from_header` is "own" or "any".
    """

    from_header: str | None = None
    messages_per_hour: int | None = None
    messages_per_day: int | None = None
    recipients_per_hour: int | None = None
    recipients_per_day: int | None = None
    save_sent: bool | None = None

    @classmethod
    def unpack(cls, text: str) -> "Submission":
        """From its column; keys that this program does not know are passed over."""
        values = json.loads(text) if text else {}
        return cls(**{name: values[name] for name in cls.__slots__ if name in values})

    def pack(self) -> str:
        """For its column; "" when all is as the configuration says."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values = {name: value for name, value in values.items() if value is not None}
        return json.dumps(values) if values else ""


NO_CHOICE = Submission()


@dataclass(frozen=True, slots=True)
class Account:
    """One account. Quotas of 0 mean none; `created` in seconds since 1970.

    `key` is the address for look-ups, `password_hash` is of bcrypt, or of another kind that
    auth/password.py knows, or "" (no login); `scram` holds keys of the same password, or "".
    `imap_mask` names IMAP capabilities, or presets of them, that the account does without.
    `source` names the source outside that has its password, "" for an account of this server's
    own; `absent`: it is gone or disabled there, hence not `enabled` here. `administers` are domains
    whose administrator it is, while it is not one of the server (`admin`).
    """

    id: AccountId
    key: str
    address: str
    name: str
    password_hash: str = field(repr=False)
    enabled: bool
    admin: bool
    quota_bytes: int
    quota_messages: int
    created: float
    imap_mask: tuple[str, ...] = ()
    gmail_labels: bool = False
    submission: Submission = NO_CHOICE
    scram: str = field(default="", repr=False)
    source: str = ""
    absent: bool = False
    administers: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        """The domain of its address, in lower case."""
        return self.key.rpartition("@")[2]


def refuse_sourced(account: Account) -> None:
    """Raises NotAllowed for an account whose password is not kept here."""
    if account.source:
        raise NotAllowed(
            f"{account.address} has its password in the account source {account.source!r}: "
            "set it there"
        )


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias, a group (several targets) or a catch-all (`@domain`). `send_as`: members of the
    group may send as it.
    """

    alias: str
    targets: tuple[str, ...]
    send_as: bool = False


class Source(Enum):
    """Who serves a domain: mailserver.toml or a command."""

    CONFIG = "config"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Domain:
    name: str
    source: Source


class Status(Enum):
    """What an address is to this server.

    DELIVERABLE: `local`, `remote` or both are filled. NOT_OURS: another server's domain (relay for
    logged-in senders only). UNKNOWN: our domain, nobody there. DISABLED: only disabled accounts.
    """

    DELIVERABLE = "deliverable"
    NOT_OURS = "not ours"
    UNKNOWN = "unknown"
    DISABLED = "disabled"


class Through(Enum):
    """How an address leads to an account: alone, as one of a group that its members may send as,
    or of one that they may not.
    """

    ALONE = "alone"
    SENDING_GROUP = "sending group"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Target:
    """One account that a message reaches. `tag` is the sub-address ("" if none)."""

    account: AccountId
    address: str
    tag: str = ""
    through: Through = field(default=Through.ALONE, compare=False)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a recipient leads; every account and every remote address once.

    `reports`: it is reports.address, where what arrives is read; it may lead nowhere else.
    `returns`: it is the rewritten sender of mail that was forwarded, and takes reports alone.
    """

    status: Status
    local: tuple[Target, ...] = ()
    remote: tuple[str, ...] = ()
    reports: bool = False
    returns: bool = False


class ChangeKind(Enum):
    """What happened to an account."""

    CREATED = "created"
    PASSWORD = "password"  # noqa: S105 - a kind of change
    DISABLED = "disabled"
    ENABLED = "enabled"
    DELETED = "deleted"
    EDITED = "edited"
    TOKENS = "tokens"
    CREDENTIAL = "credential"
    SECOND_FACTOR = "second factor"
    ROLE = "role"


_REVOKING = frozenset(ChangeKind) - {
    ChangeKind.CREATED,
    ChangeKind.ENABLED,
    ChangeKind.EDITED,
    ChangeKind.TOKENS,
}


@dataclass(frozen=True, slots=True)
class AccountChange:
    """A committed change of one account, told to the listeners of Directory.on_change.

    CREDENTIAL: an app password, a token or a session, `credential`, was revoked or its time is
    over. SECOND_FACTOR: from here on the account password is not enough. TOKENS: a session has
    other tokens, and stays. `elsewhere`: another process did it.
    """

    account: AccountId
    kind: ChangeKind
    address: str = ""
    credential: CredentialId | None = None
    elsewhere: bool = False

    @property
    def revokes(self) -> bool:
        """Whether open sessions must close: the account's, or those that `credential` opened."""
        return self.kind in _REVOKING

    def ends(
        self, account: AccountId, credential: CredentialId | None, opened: CredentialKind | None
    ) -> bool:
        """Whether a session of the account must close that was opened with a credential of this
        kind, or with the password (None). What stays in force keeps its sessions: app passwords
        when the password changes, all but the password when a second factor is switched on.
        """
        if not self.revokes or account != self.account:
            return False
        if self.credential is not None:
            return self.credential == credential
        if self.kind is ChangeKind.PASSWORD:
            return opened is not CredentialKind.APP_PASSWORD
        return self.kind is not ChangeKind.SECOND_FACTOR or opened is None
