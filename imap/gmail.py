"""Labels as Gmail has them, on mailboxes (X-GM-EXT-1, for accounts that have it switched on).

A message has the label of every mailbox that holds a copy of its content; \\Starred is the flag
\\Flagged, \\Important the keyword $Important. The mailbox with the special use \\Archive is what
Gmail calls All Mail: it gives no label, and takes a message that loses its last one. The selected
mailbox's own label is not told.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from imap.grammar.fetch_item import FetchAtom
from imap.grammar.gmail import StoreLabels, encode_label
from imap.grammar.search_key import AndKey, FuzzyKey, GmailKey, NotKey, OrKey, SearchKey
from imap.grammar.values import INBOX
from imap.masks import GMAIL
from imap.replies import Bad
from imap.selected import Selected
from imap.session import Session
from storage.values import Mailbox, MailboxId, System

ARCHIVE: Final = "\\Archive"
STARRED: Final = "\\Starred"
IMPORTANT: Final = "\\Important"
_OF_USE: Final = {
    "\\Sent": "\\Sent",
    "\\Drafts": "\\Draft",
    "\\Trash": "\\Trash",
    "\\Junk": "\\Spam",
}
_ALIASES: Final = {"\\Drafts": "\\Draft", "\\Junk": "\\Spam", "\\Flagged": STARRED}
_ITEMS: Final = frozenset({FetchAtom.X_GM_MSGID, FetchAtom.X_GM_THRID, FetchAtom.X_GM_LABELS})
_KEYWORD: Final = "$important"


def check(session: Session, command: object) -> None:
    """What belongs to the extension is unknown to who has it not switched on. Raises Bad."""
    if GMAIL in session.choices.granted:
        return
    items = getattr(command, "items", ())
    key = getattr(command, "key", None)
    if (
        isinstance(command, StoreLabels)
        or (items and not _ITEMS.isdisjoint(items))
        or (key is not None and _has_gmail(key))
    ):
        raise Bad("X-GM-EXT-1 is not switched on for this account")


def _has_gmail(key: SearchKey) -> bool:
    if isinstance(key, AndKey):
        return any(map(_has_gmail, key.keys))
    if isinstance(key, OrKey):
        return _has_gmail(key.left) or _has_gmail(key.right)
    if isinstance(key, NotKey | FuzzyKey):
        return _has_gmail(key.key)
    return isinstance(key, GmailKey)


def canonical(label: str) -> str:
    """One spelling for each system label; the name of INBOX is \\Inbox."""
    if label == INBOX:
        return "\\Inbox"
    return _ALIASES.get(label, label)


def label_of(box: Mailbox) -> str:
    """The label that a mailbox gives, "" for none."""
    if box.name == INBOX:
        return "\\Inbox"
    if box.special_use == ARCHIVE:
        return ""
    return _OF_USE.get(box.special_use, box.name)


def _typed(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-").casefold()


class Labels:
    """The account's labels as they are at the moment of a command."""

    def __init__(self, boxes: Sequence[Mailbox]) -> None:
        self._boxes: Mapping[MailboxId, Mailbox] = {box.id: box for box in boxes}
        self._by_label: dict[str, Mailbox] = {}
        for box in boxes:
            if box.selectable and (label := label_of(box)):
                self._by_label.setdefault(label, box)

    @classmethod
    async def of(cls, session: Session) -> "Labels":
        """Raises StoreError."""
        boxes = await session.store.mailboxes(session.account)
        return cls([box for box in boxes if session.grant.sees(box.name)])

    def mailbox(self, label: str) -> Mailbox | None:
        """The mailbox of a label."""
        return self._by_label.get(canonical(label)) or next(
            (box for box in self._boxes.values() if box.selectable and box.name == label), None
        )

    def loosely(self, label: str) -> Mailbox | None:
        """As people type it: without case, `-` for spaces and levels."""
        wanted = _typed(label)
        boxes = self._boxes.values()
        return next((box for box in boxes if box.selectable and _typed(box.name) == wanted), None)

    def archive(self) -> str:
        """The name of the mailbox that takes what loses its last label."""
        found = [box.name for box in self._boxes.values() if box.special_use == ARCHIVE]
        return found[0] if found else "Archive"

    def is_there(self, mailbox: MailboxId, uid: int) -> bool:
        """Whether a row is a message: it may belong to a copy that is not finished yet."""
        box = self._boxes.get(mailbox)
        return box is not None and uid < box.uidnext

    def label(self, mailbox: MailboxId) -> str:
        """The label of a mailbox, "" for none."""
        box = self._boxes.get(mailbox)
        return "" if box is None else label_of(box)


async def with_labels(
    session: Session, selected: Selected, rows: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Rows of messages with the labels of each behind what they have; the blob stands sixth."""
    if selected.account != session.account:
        return [(*row, b"") for row in rows]
    labels = await Labels.of(session)
    of_blob: dict[int, set[str]] = {}
    blobs = [row[5] for row in rows]
    for blob, mailbox, uid in await session.store.copies(selected.account, blobs):
        if mailbox != selected.mailbox and labels.is_there(mailbox, uid):
            of_blob.setdefault(blob, set()).add(labels.label(mailbox))
    made = []
    for row in rows:
        found = of_blob.get(row[5], set()) - {""} | flag_labels(selected, row[0])
        texts = [encode_label(label, session.utf8) for label in sorted(found)]
        made.append((*row, b" ".join(texts)))
    return made


def flag_labels(selected: Selected, uid: int) -> set[str]:
    """The labels that are flags of the message."""
    index = selected.view.index_of(uid)
    if index < 0:
        return set()
    field = selected.view.flags[index]
    found = {STARRED} if field & System.FLAGGED else set[str]()
    if _KEYWORD in selected.view.flags_text(field).decode().lower().split():
        found.add(IMPORTANT)
    return found
