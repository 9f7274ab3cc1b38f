"""What an account may be used by beside its password: app passwords, tokens and sessions, and what
each is good for. Values only; none of them holds a secret or its hash.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NewType

from storage.values import AccountId

CredentialId = NewType("CredentialId", int)


class Protocol(StrEnum):
    """How somebody comes in."""

    IMAP = "imap"
    SMTP = "smtp"
    SIEVE = "sieve"
    CARDDAV = "carddav"
    JMAP = "jmap"
    WEB = "web"


class CredentialKind(StrEnum):
    """APP_PASSWORD is typed into a mail client and survives a new account password; the others do
    not. TOKEN is for programs, AGENT for programs that may only read and draft, SESSION is
    refreshed, BROWSER is kept in a cookie and good for pages alone, OAUTH is what a user allowed
    a client of OAuth.
    """

    APP_PASSWORD = "app-password"  # noqa: S105 - a kind
    TOKEN = "token"  # noqa: S105 - a kind
    AGENT = "agent"
    SESSION = "session"
    BROWSER = "browser"
    OAUTH = "oauth"


ALL_PROTOCOLS: Final = frozenset(Protocol)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a credential is good for. `folders` with all below them, `senders` and `networks` (texts
    such as "192.0.2.0/24") are everything when empty; `rate` is commands a minute, 0 without bound;
    `draft_only` reads, and writes into the mailbox of drafts alone; `preset` is a name of
    imap/masks.py or "". `client`, `scopes` and when the user logged in (`authenticated`, in seconds
    since 1970) are those of OAuth; `granted` is what was allowed where `scopes` is less of it.
    """

    protocols: frozenset[Protocol] = ALL_PROTOCOLS
    read_only: bool = False
    draft_only: bool = False
    folders: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    rate: int = 0
    preset: str = ""
    client: str = ""
    scopes: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    authenticated: float = 0.0

    @property
    def allowed(self) -> tuple[str, ...]:
        """The scopes that the user allowed, whatever the present access token has of them."""
        return self.granted or self.scopes

    def pack(self) -> str:
        """For its column."""
        more = {"granted": self.granted, "authenticated": self.authenticated}
        return json.dumps(
            {
                "protocols": sorted(self.protocols),
                "read_only": self.read_only,
                "draft_only": self.draft_only,
                "folders": self.folders,
                "senders": self.senders,
                "networks": self.networks,
                "rate": self.rate,
                "preset": self.preset,
                "client": self.client,
                "scopes": self.scopes,
                **{name: value for name, value in more.items() if value},
            }
        )

    @classmethod
    def unpack(cls, text: str) -> "Terms":
        """From its column."""
        values: dict[str, Any] = json.loads(text)
        protocols = frozenset(map(Protocol, values.pop("protocols")))
        for name in ("folders", "senders", "networks", "scopes", "granted"):
            values[name] = tuple(values.get(name, ()))
        return cls(protocols=protocols, **values)


NO_BOUNDS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Use:
    """When, whence and how a credential was last used; `at` in seconds since 1970."""

    at: float
    address: str
    protocol: str


@dataclass(frozen=True, slots=True)
class Credential:
    """Times in seconds since 1970. After `expires` it is good for nothing; `access_until` is the
    end of a session's present access token. `used` is None before the first use.
    """

    id: CredentialId
    account: AccountId
    kind: CredentialKind
    name: str
    terms: Terms
    created: float
    expires: float | None = None
    access_until: float | None = None
    used: Use | None = None

    def is_over(self, now: float) -> bool:
        """Whether its time has passed."""
        ends = [end for end in (self.expires, self.access_until) if end is not None]
        return any(end <= now for end in ends)
