"""Repair's SQL: what can still be read of an account's rows, and writing them anew.

Reading a damaged index goes on as far as it can: what was read before the damage is used, and the
account is marked as not whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, select, update
from sqlalchemy.exc import DBAPIError

from storage.mirror_values import Place
from storage.repair_values import NewAccount, OldAccount, OldMessage
from storage.schema import (
    account,
    blob,
    conversation,
    folder,
    journal,
    keyword_set,
    mailbox,
    message,
    mirror,
    place,
    subscription,
    suspect,
    threaded,
    writer_state,
)
from storage.state import Box
from storage.statements import MultiRow
from storage.values import AccountId, BlobId, MailboxId

_TABLES = (
    *(message, place, mailbox, folder, subscription, keyword_set, journal, mirror, suspect),
    *(conversation, threaded),
)
_ROWS = {table.name: MultiRow(table) for table in (*_TABLES, account, blob)}


def known_accounts(conn: Connection) -> list[AccountId]:
    """Accounts of the index, as far as it can be read."""
    try:
        return [AccountId(number) for (number,) in conn.execute(select(account.c.id))]
    except DBAPIError:
        return []


def read_old(conn: Connection, number: AccountId) -> OldAccount:
    """What the index says of one account."""
    old = OldAccount()
    for row in _read(conn, old, select(account).where(account.c.id == number)):
        old.exists, old.modseq, old.floor = True, row.modseq, row.floor
        old.last_mailbox, old.uidvalidity = row.last_mailbox, row.uidvalidity
        old.limit_bytes, old.limit_messages = row.limit_bytes, row.limit_messages
    for row in _read(conn, old, select(mirror.c.modseq).where(mirror.c.account == number)):
        old.watermark = row.modseq
    for row in _of(conn, old, number, folder):
        old.paths[MailboxId(row.mailbox)] = row.path
    for row in _of(conn, old, number, mailbox):
        box = old.boxes[MailboxId(row.id)] = Box(*row)
        box.folder = old.paths.get(box.id, "")
    old.subscriptions = frozenset(row.name for row in _of(conn, old, number, subscription))
    for row in _of(conn, old, number, place):
        one = Place(BlobId(row.blob), MailboxId(row.mailbox), row.uid, row.path)
        old.places[one.mailbox, one.uid] = one
    _read_messages(conn, old, number)
    blobs = select(blob.c.id).where(blob.c.account == number)
    old.blobs = {BlobId(row.id) for row in _read(conn, old, blobs)}
    return old


def write_new(conn: Connection, new: NewAccount, limits: tuple[int, int]) -> None:
    """Replaces the account's rows but those of `blob`; the journal begins anew."""
    number = new.account
    for table in _TABLES:
        conn.execute(delete(table).where(table.c.account == number))
    conn.execute(delete(account).where(account.c.id == number))
    sizes = _sizes(conn, number)
    numbers: dict[frozenset[str], int] = {frozenset(): 0}
    rows = list(_message_rows(new, sizes, numbers))
    _put(conn, message, rows)
    sets = [(number, key, " ".join(sorted(words))) for words, key in numbers.items() if key]
    _put(conn, keyword_set, sets)
    _put(conn, place, [(number, p.blob, p.mailbox, p.uid, p.path) for p in new.places])
    _put(conn, mailbox, [box.row() for box in new.boxes.values()])
    _put(conn, folder, [(number, box, path) for box, path in new.paths.items()])
    _put(conn, subscription, [(number, name) for name in sorted(new.subscriptions)])
    _put(conn, mirror, [(number, new.modseq)])
    used = sum(row[8] for row in rows)
    head = (number, new.modseq, new.floor, new.last_mailbox, new.uidvalidity)
    _put(conn, account, [(*head, used, len(rows), *limits)])


def put_blobs(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Adds rows of `blob`, in the order of its columns."""
    _put(conn, blob, rows)


def drop_blobs(conn: Connection, number: AccountId, blobs: Iterable[BlobId]) -> None:
    """Removes rows of `blob` that no message has."""
    ids = sorted(blobs)
    for start in range(0, len(ids), 500):
        some = blob.c.id.in_(ids[start : start + 500])
        conn.execute(delete(blob).where(blob.c.account == number, some))


def set_writer(conn: Connection, last_blob: int) -> None:
    """Ids go on above `last_blob`; the next start compares files and rows."""
    stored = conn.execute(select(writer_state.c.last_blob)).scalar() or 0
    values = {"last_blob": max(stored, last_blob), "clean": False}
    conn.execute(update(writer_state).values(values))


def _message_rows(
    new: NewAccount, sizes: dict[int, int], numbers: dict[frozenset[str], int]
) -> Iterator[tuple[Any, ...]]:
    """Rows of `message`; counts them in their mailboxes. What has no blob row was unreadable."""
    for box_id, messages in new.messages.items():
        box = new.boxes[box_id]
        box.messages = box.unseen = box.deleted = box.size = 0
        for uid, one in sorted(messages.items()):
            if one.blob not in sizes:
                new.lost += 1
                continue
            words = numbers.setdefault(one.words, len(numbers))
            size = sizes[one.blob]
            box.messages += 1
            box.unseen += not one.flags & 1
            box.deleted += one.flags & 8 != 0
            box.size += size
            head = (new.account, box_id, uid, one.modseq, one.flags, words, one.internaldate)
            yield (*head, one.savedate, size, one.blob, one.thread)


def _sizes(conn: Connection, number: AccountId) -> dict[int, int]:
    rows = conn.execute(select(blob.c.id, blob.c.size).where(blob.c.account == number))
    return {row.id: row.size for row in rows}


def _read_messages(conn: Connection, old: OldAccount, number: AccountId) -> None:
    words: dict[int, frozenset[str]] = {0: frozenset()}
    for row in _of(conn, old, number, keyword_set):
        words[row.number] = frozenset(row.words.split(" "))
    for row in _of(conn, old, number, message):
        box = old.boxes.get(MailboxId(row.mailbox))
        if box is not None and row.uid >= box.uidnext:
            continue
        if row.keywords not in words:
            old.whole = False
        old.messages.setdefault(MailboxId(row.mailbox), {})[row.uid] = OldMessage(
            row.modseq,
            row.flags,
            words.get(row.keywords, frozenset()),
            row.internaldate,
            row.savedate,
            BlobId(row.blob),
            row.thread,
        )


def _of(conn: Connection, old: OldAccount, number: AccountId, table: Table) -> Iterator[Any]:
    return _read(conn, old, select(table).where(table.c.account == number))


def _read(conn: Connection, old: OldAccount, query: Select[Any]) -> Iterator[Any]:
    """Rows until the first that can't be read."""
    try:
        result = conn.execute(query.execution_options(yield_per=1000))
        yield from result
    except DBAPIError:
        old.whole = False


def _put(conn: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        _ROWS[table.name].run(conn, rows)
