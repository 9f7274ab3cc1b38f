"""What becomes of a message, gathered while accounts are asked: copies and addresses by the form
that the message has for them. Values and pure functions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from filters.context import Message, Recipient
from filters.envelope import Envelope
from filters.recipients.disposition import Decided, Group, Version
from filters.recipients.flag_words import flags_of
from filters.rewriting import with_header
from filters.spam.signs import JUNK_WORDS, mark_of
from filters.verdict import Action, Verdict
from storage.directory_values import Target
from storage.names import INBOX
from storage.spam_values import Label
from storage.values import AccountId, Flags, LocalRecipient


@dataclass(slots=True)
class Pending:
    """An account still to be asked. `message` is as it reaches it: finished after an edit."""

    target: Target
    recipient: Recipient
    message: Message
    finished: bool


@dataclass(slots=True)
class Gathered:
    """The group of one form of the message."""

    message: Message
    finished: bool
    local: list[LocalRecipient] = field(default_factory=list)
    remote: dict[str, list[str]] = field(default_factory=dict)


def edited(message: Message, version: Version) -> Message:
    """The message with the header, and where it changed the body, of a version."""
    if version.body is None:
        return with_header(message, version.header)
    data = version.header + b"\r\n" + version.body
    content = replace(message.content, size=len(data), data=data, path=None, prefix=b"", start=0)
    eightbit = not data.isascii()
    return replace(
        message, content=content, header=version.header, eightbit=eightbit, headless=False
    )


def unasked(envelope: Envelope, message: Message, verdict: Verdict) -> Decided:
    """Where nobody has a say: one copy an account, where the verdict puts it."""
    local = _as_is(envelope.recipients, verdict)
    return Decided((Group(envelope, message, local),), handled=bool(local))


def targets_of(recipients: Iterable[Recipient]) -> Iterable[Target]:
    return (target for one in recipients for target in one.resolution.local)


def default_mailbox(verdict: Verdict) -> str:
    return "Junk" if verdict.action is Action.JUNK else INBOX


def _as_is(recipients: Iterable[Recipient], verdict: Verdict) -> tuple[LocalRecipient, ...]:
    """One copy an account, however many of its addresses were named."""
    mailbox, flags = default_mailbox(verdict), Flags(keywords=verdict.keywords)
    found: dict[AccountId, LocalRecipient] = {}
    for recipient in recipients:
        for target in recipient.resolution.local:
            copy = LocalRecipient(target.account, recipient.address, mailbox, flags)
            found.setdefault(target.account, copy)
    return tuple(found.values())


def copy_for(one: Pending, mailbox: str, words: Iterable[str], verdict: Verdict) -> LocalRecipient:
    """What a script says of junk counts more than what the filters say."""
    flags, given = flags_of(words), verdict.keywords
    if mark_of(frozenset(map(str.lower, flags.keywords))) is Label.HAM:
        given = frozenset(one for one in given if one.lower() not in JUNK_WORDS)
    made = replace(flags, keywords=flags.keywords | given)
    return LocalRecipient(one.target.account, one.recipient.address, mailbox, made)


def add_remote(group: Gathered, recipient: Recipient, address: str) -> None:
    addresses = group.remote.setdefault(recipient.address, [])
    if address not in addresses:
        addresses.append(address)
