"""What NOTIFY asks for, as values (RFC 5465 §5, §6)."""

from dataclasses import dataclass
from enum import Enum

from imap.grammar.fetch_item import FetchItem


class NotifyEvent(Enum):
    """What may be asked for; the value is the word on the wire (RFC 5465 §5)."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    ANNOTATION_CHANGE = "AnnotationChange"
    MAILBOX_NAME = "MailboxName"
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


class NotifyScope(Enum):
    """Which mailboxes a group is about (RFC 5465 §6)."""

    SELECTED = "selected"
    SELECTED_DELAYED = "selected-delayed"
    INBOXES = "inboxes"
    PERSONAL = "personal"
    SUBSCRIBED = "subscribed"
    SUBTREE = "subtree"
    MAILBOXES = "mailboxes"


@dataclass(frozen=True, slots=True)
class NotifyGroup:
    """Events for some mailboxes; none means that nothing is wanted of them.

    `names` belong to the scopes subtree and mailboxes, `fetch` to MessageNew.
    """

    scope: NotifyScope
    names: tuple[str, ...] = ()
    events: tuple[NotifyEvent, ...] = ()
    fetch: tuple[FetchItem, ...] = ()
    unknown: tuple[str, ...] = ()
