"""STORE of Gmail's labels: the value and its parser (X-GM-EXT-1).

Labels are names of mailboxes, or system labels such as \\Inbox; what a label stands for is not
asked here. The FETCH items and SEARCH keys of the extension stand with the others.
"""

import re
from dataclasses import dataclass

from imap.grammar.encode import mailbox
from imap.grammar.tokens import Cursor
from imap.grammar.values import SequenceSet

MAX_LABELS = 100
_SYSTEM = re.compile(r"\\[A-Z][a-z]*")


@dataclass(frozen=True, slots=True)
class StoreLabels:
    """STORE X-GM-LABELS; `mode` is "", "+" or "-", `labels` decoded, system labels with `\\`."""

    tag: str
    uid: bool
    sequence: SequenceSet
    mode: str
    labels: tuple[str, ...]
    silent: bool = False


def parse_labels(cursor: Cursor) -> tuple[str, ...]:
    """Labels in parentheses, or one without."""
    if cursor.peek() != b"(":
        return (parse_label(cursor),)
    cursor.open("labels")
    labels: list[str] = []
    while cursor.more():
        if len(labels) == MAX_LABELS:
            raise cursor.error(f"more than {MAX_LABELS} labels")
        labels.append(parse_label(cursor))
    return tuple(dict.fromkeys(labels))


def parse_label(cursor: Cursor) -> str:
    """One label."""
    if cursor.accept(b"\\"):
        return "\\" + cursor.atom("a system label such as \\Inbox").capitalize()
    return cursor.mailbox("a label")


def encode_label(label: str, utf8: bool = False) -> bytes:
    """A label as it goes over the wire. A mailbox whose name begins with a backslash is quoted,
    unless it is spelled as a system label.
    """
    return label.encode() if _SYSTEM.fullmatch(label) else mailbox(label, utf8)
