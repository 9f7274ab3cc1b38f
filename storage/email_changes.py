"""What became of contents since a modseq, as JMAP tells of Emails and Threads (RFC 8620 §5.2).

An Email is a content in an account, in whatever mailboxes its copies are. Its blob in the journal
of an EXPUNGE says what is gone. Invariants: a point is never newer than what is told with it; what
came and went in between is left out; whoever asks again from the point told gets the rest.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select

from storage.changes import Change, read_changes
from storage.copies import contents, copies_of
from storage.database import Database
from storage.errors import NoSuchAccount, TooOld
from storage.schema import ChangeKind
from storage.schema import account as accounts
from storage.statements import Query
from storage.values import AccountId, BlobId, MailboxId

MAX_ROWS: Final = 20_000
MAX_PLACES: Final = 200_000
_PIECE: Final = 1_000
_BOUNDS = Query(
    lambda _: select(accounts.c.modseq, accounts.c.floor).where(
        accounts.c.id == bindparam("account")
    )
)
_MESSAGES: Final = frozenset((ChangeKind.APPEND, ChangeKind.EXPUNGE, ChangeKind.FLAGS))


class Point(NamedTuple):
    """After all changes up to and with `modseq`, and `more` contents of the change after it."""

    modseq: int
    more: int = 0


@dataclass(frozen=True, slots=True)
class EmailChanges:
    """Contents by what became of them, up to `until`; `threads` are those known of what was
    destroyed.
    """

    until: Point
    has_more: bool
    created: Sequence[BlobId] = ()
    updated: Sequence[BlobId] = ()
    destroyed: Sequence[BlobId] = ()
    threads: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Seen:
    """What the journal says: `appended` are places that were filled since the point, `gone` what
    was in the places that were emptied.
    """

    touched: list[tuple[int, MailboxId, int]] = field(default_factory=list)
    appended: set[tuple[MailboxId, int]] = field(default_factory=set)
    gone: dict[tuple[MailboxId, int], tuple[BlobId, int]] = field(default_factory=dict)


async def email_changes(
    database: Database, account: AccountId, since: Point, limit: int
) -> EmailChanges:
    """At most `limit` contents. Raises TooOld, NoSuchAccount."""
    now, _ = await bounds(database, account)
    seen = await _read(database, account, since.modseq)
    _, floor = await bounds(database, account)
    if not floor <= since.modseq <= now:
        raise TooOld("the journal does not tell of it")
    blobs = await _blobs(database, account, seen)
    wanted, until, has_more = _cut(seen, blobs, since, now, limit)
    copies: dict[BlobId, list[tuple[MailboxId, int]]] = {}
    for blob, box, uid in await copies_of(database, account, wanted):
        copies.setdefault(blob, []).append((box, uid))
    before = {found[0] for place, found in seen.gone.items() if place not in seen.appended}
    created: list[BlobId] = []
    updated: list[BlobId] = []
    destroyed: list[BlobId] = []
    for blob in wanted:
        places = copies.get(blob, ())
        was = blob in before or any(place not in seen.appended for place in places)
        if places:
            (updated if was else created).append(blob)
        elif was:
            destroyed.append(blob)
    ended = set(destroyed)
    threads = frozenset(found[1] for found in seen.gone.values() if found[0] in ended and found[1])
    return EmailChanges(until, has_more, created, updated, destroyed, threads)


async def last_modseq(database: Database, account: AccountId) -> int:
    """The number of the account's last change of mail. Raises NoSuchAccount."""
    return (await bounds(database, account))[0]


async def bounds(database: Database, account: AccountId) -> tuple[int, int]:
    """The account's modseq, and up to which its journal was pruned. Raises NoSuchAccount."""
    found = await database.fetch(_BOUNDS, account=account)
    if not found:
        raise NoSuchAccount("the account does not exist")
    return found[0][0], found[0][1]


async def _read(database: Database, account: AccountId, since: int) -> _Seen:
    seen, after, rows = _Seen(), since, 0
    while page := await read_changes(database, account, after, _PIECE):
        for change in page:
            _note(seen, change)
            if len(seen.touched) > MAX_PLACES:
                raise TooOld("too many messages have changed")
        after = page[-1].modseq
        rows += len(page)
        if rows > MAX_ROWS:
            raise TooOld("too much has changed")
        await asyncio.sleep(0)
    return seen


def _note(seen: _Seen, change: Change) -> None:
    if change.kind not in _MESSAGES:
        return
    places = [(change.mailbox, uid) for uid in change.uids]
    seen.touched += [(change.modseq, *place) for place in places]
    if change.kind is ChangeKind.APPEND:
        seen.appended.update(places)
    elif change.kind is ChangeKind.EXPUNGE:
        if change.ids is None:
            raise TooOld("what was expunged then is not known")
        pairs = zip(change.ids[::2], change.ids[1::2], strict=True)
        gone = [(BlobId(blob), thread) for blob, thread in pairs]
        seen.gone.update(zip(places, gone, strict=True))


async def _blobs(
    database: Database, account: AccountId, seen: _Seen
) -> dict[tuple[MailboxId, int], BlobId]:
    """The content of each place touched; of one that was emptied after the journal was read there
    is none.
    """
    found = {place: blob for place, (blob, _) in seen.gone.items()}
    missing: dict[MailboxId, set[int]] = {}
    for _, box, uid in seen.touched:
        if (box, uid) not in found:
            missing.setdefault(box, set()).add(uid)
    for box, uids in missing.items():
        held = await contents(database, account, box, sorted(uids))
        found |= {(box, uid): blob for uid, blob in held.items()}
    return found


def _cut(
    seen: _Seen,
    blobs: dict[tuple[MailboxId, int], BlobId],
    since: Point,
    now: int,
    limit: int,
) -> tuple[list[BlobId], Point, bool]:
    """The first contents touched, the point behind them, and whether there are more. A change that
    has more contents than may be told is told in parts.
    """
    wanted: dict[BlobId, None] = {}
    modseq, done, skip = since.modseq, 0, since.more
    for each, box, uid in seen.touched:
        if each > now:
            break
        if each != modseq:
            modseq, done = each, 0
        done += 1
        blob = blobs.get((box, uid))
        if skip:
            skip -= 1
        elif blob is not None and blob not in wanted:
            if len(wanted) == limit:
                return list(wanted), Point(each - 1, done - 1), True
            wanted[blob] = None
    return list(wanted), Point(now), False
