"""What a login is good for: everything, or what its app password, token or session allows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from auth.rights import NONE, Rights
from message.address import AddressError, Mailbox, parse_mailbox
from storage.credential_values import (
    ALL_PROTOCOLS,
    Credential,
    CredentialId,
    CredentialKind,
    Protocol,
)


@dataclass(frozen=True, slots=True)
class Grant:
    """`credential` is None for the account password, below 0 for an access token of an outside
    provider, which is kept nowhere. Empty `folders` and `senders` are all;
    `expires` in seconds since 1970; `rate` commands a minute, 0 without bound. Networks were
    checked at login.
    """

    credential: CredentialId | None = None
    kind: CredentialKind | None = None
    protocols: frozenset[Protocol] = ALL_PROTOCOLS
    read_only: bool = False
    draft_only: bool = False
    folders: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    rate: int = 0
    expires: float | None = None
    preset: str = ""

    def sees(self, folder: str) -> bool:
        """Whether a mailbox of the account (INBOX, or a name with "/" between levels) is there for
        the login: one of `folders`, or below it.
        """
        if not self.folders:
            return True
        name = _folder_key(folder)
        return any(
            name == mine or name.startswith(f"{mine}/") for mine in map(_folder_key, self.folders)
        )

    def may_send_as(self, sender: Mailbox | str) -> bool:
        """Whether an address is among `senders`; sub-addresses of one are."""
        if not self.senders:
            return True
        key = _sender_key(sender)
        return key is not None and key in map(_sender_key, self.senders)

    def cut(self, rights: Rights, folder: str, use: str) -> Rights:
        """What is left of a user's rights in a mailbox of a special use such as `\\Drafts`, or "".
        Nothing where the login does not see it; where it does not write, listing and reading.
        """
        if self.credential is None:
            return rights
        if not self.sees(folder):
            return NONE
        if self.draft_only and use == "\\Drafts":
            return _only(rights, _DRAFTING)
        return _only(rights, _READING) if self.read_only or self.draft_only else rights

    @property
    def writes(self) -> bool:
        """Whether more than mailboxes of drafts may be changed."""
        return not (self.read_only or self.draft_only)


FULL: Final = Grant()
_READING: Final = "lr"
_DRAFTING: Final = "lrswite"


def grant_of(credential: Credential) -> Grant:
    """What a credential allows."""
    terms = credential.terms
    return Grant(
        credential.id,
        credential.kind,
        terms.protocols,
        terms.read_only,
        terms.draft_only,
        terms.folders,
        terms.senders,
        terms.rate,
        credential.expires,
        terms.preset,
    )


def outside_grant(digest: bytes, until: float) -> Grant:
    """What an access token of an outside provider with this digest allows: everything that the
    account's password does, until it is over. Its `kind` is that of the password.
    """
    return Grant(CredentialId(-1 - int.from_bytes(digest[:6])), expires=until)


def _only(rights: Rights, letters: str) -> Rights:
    return Rights("".join(letter for letter in rights if letter in letters))


def _folder_key(folder: str) -> str:
    """INBOX, and the part of a name that is INBOX, has no case (RFC 9051 §5.1)."""
    first, slash, rest = folder.partition("/")
    return f"INBOX{slash}{rest}" if first.upper() == "INBOX" else folder


def _sender_key(sender: Mailbox | str) -> str | None:
    try:
        box = sender if isinstance(sender, Mailbox) else parse_mailbox(sender)
    except AddressError:
        return None
    local, at, domain = box.key().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def shown_protocols(protocols: Iterable[Protocol]) -> list[str]:
    """Names in the order of Protocol."""
    present = set(protocols)
    return [protocol.value for protocol in Protocol if protocol in present]
