"""The SEARCH keys of X-GM-EXT-1, put into those of the standard for the mailbox that is searched.

X-GM-RAW is the language of a search box (message/query.py). Labels, attachments and names of files
become sets of UIDs, which are looked up in pieces.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from imap.gmail import IMPORTANT, STARRED, Labels, canonical
from imap.grammar.search_key import (
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    DateRelation,
    FlagKey,
    FuzzyKey,
    GmailField,
    GmailKey,
    HeaderKey,
    IdField,
    IdKey,
    NotKey,
    OrKey,
    SearchKey,
    SetKey,
    SizeKey,
    TextField,
    TextKey,
)
from imap.grammar.values import ANSWERED, DRAFT, FLAGGED, SEEN, Flag, SequenceSet
from imap.object_ids import email_id, thread_id
from imap.replies import Bad
from imap.selected import Selected
from imap.session import Session
from message import query as ast
from message.meta import bodystructures
from storage.values import BlobId

_NONE: Final = NotKey(AllKey())
_IMPORTANT: Final = Flag("$Important")
_ATTACHMENT: Final = re.compile(rb'\("ATTACHMENT" ', re.IGNORECASE)
_NAME: Final = re.compile(
    rb'"(?:FILE)?NAME" (?:"((?:[^"\\]|\\.)*)"|\{\d+\}\r\n([^)]*))', re.IGNORECASE
)
_KEYWORD: Final = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,64}")
_STATES: Final[dict[ast.State, SearchKey]] = {
    ast.State.UNREAD: FlagKey(SEEN, False),
    ast.State.READ: FlagKey(SEEN),
    ast.State.STARRED: FlagKey(FLAGGED),
    ast.State.UNSTARRED: FlagKey(FLAGGED, False),
    ast.State.IMPORTANT: FlagKey(_IMPORTANT),
    ast.State.ANSWERED: FlagKey(ANSWERED),
    ast.State.UNANSWERED: FlagKey(ANSWERED, False),
    ast.State.FORWARDED: FlagKey(Flag("$Forwarded")),
    ast.State.DRAFT: FlagKey(DRAFT),
    ast.State.ATTACHMENT: GmailKey(GmailField.ATTACHMENT, ""),
}
_TEXTS: Final = {
    ast.Field.TEXT: TextField.TEXT,
    ast.Field.BODY: TextField.BODY,
    ast.Field.FROM: TextField.FROM,
    ast.Field.CC: TextField.CC,
    ast.Field.BCC: TextField.BCC,
    ast.Field.SUBJECT: TextField.SUBJECT,
}
_HEADERS: Final = {
    ast.Field.LIST: "List-Id",
    ast.Field.MESSAGE_ID: "Message-ID",
    ast.Field.DELIVERED_TO: "Delivered-To",
}


def keys_of(query: ast.Query) -> SearchKey:
    """The search keys that mean what a query means."""
    if isinstance(query, ast.AllOf):
        return _joined([keys_of(part) for part in query.parts])
    if isinstance(query, ast.AnyOf):
        *others, last = [keys_of(part) for part in query.parts]
        for key in reversed(others):
            last = OrKey(key, last)
        return last
    if isinstance(query, ast.NoneOf):
        return NotKey(keys_of(query.part))
    if isinstance(query, ast.Is):
        return _STATES[query.state]
    if isinstance(query, ast.Day):
        relation = DateRelation.SINCE if query.since else DateRelation.BEFORE
        return DateKey(DateField.INTERNAL, relation, query.day)
    if isinstance(query, ast.Age):
        return AgeKey(query.older, query.seconds)
    if isinstance(query, ast.Size):
        return SizeKey(query.larger, query.octets)
    return _word(query.field, query.value)


def _word(field: ast.Field, value: str) -> SearchKey:
    if field in _TEXTS:
        return TextKey(_TEXTS[field], value)
    if field is ast.Field.TO:
        return OrKey(TextKey(TextField.TO, value), TextKey(TextField.CC, value))
    if field in _HEADERS:
        return HeaderKey(_HEADERS[field], value)
    if field is ast.Field.TAG:
        return FlagKey(Flag(value)) if _KEYWORD.fullmatch(value) else _NONE
    if field is ast.Field.FILENAME:
        return GmailKey(GmailField.FILENAME, value)
    return GmailKey(GmailField.LABELS, value)


def _joined(keys: list[SearchKey]) -> SearchKey:
    if not keys:
        return AllKey()
    return keys[0] if len(keys) == 1 else AndKey(tuple(keys))


async def without_gmail(session: Session, selected: Selected, key: SearchKey) -> SearchKey:
    """The program in keys of the standard; without any of Gmail's it stays the same. Raises Bad."""
    if isinstance(key, AndKey):
        parts = [await without_gmail(session, selected, part) for part in key.keys]
        return AndKey(tuple(parts))
    if isinstance(key, OrKey):
        left = await without_gmail(session, selected, key.left)
        return OrKey(left, await without_gmail(session, selected, key.right))
    if isinstance(key, NotKey | FuzzyKey):
        return replace(key, key=await without_gmail(session, selected, key.key))
    return await _replaced(session, selected, key) if isinstance(key, GmailKey) else key


async def _replaced(session: Session, selected: Selected, key: GmailKey) -> SearchKey:
    field, value = key.field, key.value
    if field is GmailField.RAW:
        try:
            made = keys_of(ast.parse_query(value))
        except ast.QueryError as error:
            raise Bad(str(error)) from None
        return await without_gmail(session, selected, made)
    if field is GmailField.MSGID:
        return IdKey(IdField.EMAILID, email_id(BlobId(int(value))).decode())
    if field is GmailField.THRID:
        return IdKey(IdField.THREADID, thread_id(int(value)).decode())
    if field is GmailField.LABELS:
        return await _labelled(session, selected, value)
    if field is GmailField.ATTACHMENT:
        return await _by_structure(
            session, selected, lambda structure: _ATTACHMENT.search(structure) is not None
        )
    wanted = value.casefold()
    return await _by_structure(session, selected, lambda structure: _names(structure, wanted))


async def _labelled(session: Session, selected: Selected, label: str) -> SearchKey:
    if canonical(label) == STARRED or label.lower() == "starred":
        return FlagKey(FLAGGED)
    if label in (IMPORTANT, "important"):
        return FlagKey(_IMPORTANT)
    labels = await Labels.of(session)
    box = labels.mailbox(label) or labels.mailbox("\\" + label.capitalize())
    box = box or labels.loosely(label)
    if box is None or selected.account != session.account:
        return _NONE
    if box.id == selected.mailbox:
        return AllKey()
    uids = await session.store.shared(selected.account, selected.mailbox, box.id)
    return SetKey(SequenceSet.of(uids), True) if uids else _NONE


async def _by_structure(
    session: Session, selected: Selected, test: Callable[[bytes], bool]
) -> SearchKey:
    """The messages whose BODYSTRUCTURE passes a test."""
    uids, done, found = selected.view.uids, 0, list[int]()
    while done < len(uids):
        piece = uids[done : done + 250]
        rows, complete = await session.store.summaries(selected.account, selected.mailbox, piece)
        structures = bodystructures([row[3] for row in rows])
        found += [row[0] for row, each in zip(rows, structures, strict=True) if test(each)]
        done += len(piece) if complete else bisect_right(piece, rows[-1][0])
        await session.connection.breathe()
    return SetKey(SequenceSet.of(found), True) if found else _NONE


def _names(structure: bytes, wanted: str) -> bool:
    """Whether a file in the message has such a name."""
    for quoted, plain in _NAME.findall(structure):
        name = re.sub(rb"\\(.)", rb"\1", quoted) or plain
        if wanted in name.decode("utf-8", "replace").casefold():
            return True
    return False
