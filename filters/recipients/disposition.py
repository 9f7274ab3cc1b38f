"""What one account does with one message, and what all of them together make of it: values."""

from dataclasses import dataclass

from filters.context import Message, Recipient
from filters.envelope import Envelope
from filters.sieve.actions import FileInto, Notify, Redirect, Track, Vacation
from storage.values import AccountId, LocalRecipient


@dataclass(frozen=True, slots=True)
class Version:
    """The message as a script has changed it: `header` without its blank line, trace fields and
    all; `body` is None where it is as it was.
    """

    header: bytes
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a script decided. Each copy and redirect has the number of its version in `versions`, 0
    for the message as it was. `filed` is empty when the account keeps nothing. `refusal` is the
    reason that the sender is told, "" when the message is not refused. `told` says in a few words
    what decided.
    """

    filed: tuple[FileInto, ...]
    redirects: tuple[Redirect, ...] = ()
    refusal: str = ""
    versions: tuple[Version | None, ...] = (None,)
    vacations: tuple[Vacation, ...] = ()
    notifications: tuple[Notify, ...] = ()
    tracks: tuple[Track, ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Copies with the same bytes: one job of the store. The recipients of `envelope` lead to the
    remote addresses that get them; with `finished` the header is complete, trace fields and all.
    """

    envelope: Envelope
    message: Message
    local: tuple[LocalRecipient, ...]
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A recipient that does not take the message, and what the sender is told."""

    recipient: Recipient
    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """What follows for an account, known by `address`, once the message is stored."""

    account: AccountId
    address: str
    vacations: tuple[Vacation, ...]
    notifications: tuple[Notify, ...]
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """The last group has the message as it is; those before it have edited ones. `handled`: an
    account here had its say, though nothing may be left to store. `told` is what decided, by
    account.
    """

    groups: tuple[Group, ...]
    handled: bool = False
    refusals: tuple[Refusal, ...] = ()
    later: tuple[Later, ...] = ()
    told: tuple[tuple[AccountId, tuple[str, ...]], ...] = ()
