"""The mirror's SQL: what changed since its watermark, what exists, and what it did.

Reads go through Database.fetch, writes are jobs of the committer. Whether a name may be unlinked is
decided inside a job, since only the writer sees every committed row.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, select

from storage.database import Database
from storage.mirror_values import Batch, Box, Folders, Place, Wanted
from storage.schema import (
    ChangeKind,
    account,
    blob,
    folder,
    journal,
    keyword_set,
    mailbox,
    message,
    mirror,
    place,
    subscription,
)
from storage.statements import MultiRow, Query, id_list
from storage.values import AccountId, BlobId, MailboxId, System

CHUNK = 500
_JOURNAL_ROWS = 1000
_ACCOUNT: BindParameter[int] = bindparam("account")

_BEHIND = Query(
    lambda _: (
        select(account.c.id)
        .outerjoin(mirror, mirror.c.account == account.c.id)
        .where(account.c.modseq > func.coalesce(mirror.c.modseq, 0))
    )
)
_WATERMARK = Query(lambda _: select(mirror.c.modseq).where(mirror.c.account == _ACCOUNT))
_JOURNAL = Query(
    lambda _: (
        select(journal.c.modseq, journal.c.kind, journal.c.mailbox, journal.c.uids)
        .where(journal.c.account == _ACCOUNT, journal.c.modseq > bindparam("since"))
        .order_by(journal.c.modseq, journal.c.part)
        .limit(bindparam("most"))
    )
)
_AT_MODSEQ = Query(
    lambda _: select(journal.c.modseq, journal.c.kind, journal.c.mailbox, journal.c.uids).where(
        journal.c.account == _ACCOUNT, journal.c.modseq == bindparam("since")
    )
)
_MESSAGES = Query(
    lambda among: (
        select(
            message.c.uid,
            message.c.blob,
            message.c.flags,
            message.c.keywords,
            message.c.internaldate,
        )
        .where(
            message.c.account == _ACCOUNT,
            message.c.mailbox == bindparam("mailbox"),
            among(message.c.uid, "uids"),
        )
        .order_by(message.c.uid)
    )
)
_PLACES = Query(
    lambda among: select(place.c.blob, place.c.mailbox, place.c.uid, place.c.path).where(
        place.c.account == _ACCOUNT,
        place.c.mailbox == bindparam("mailbox"),
        among(place.c.uid, "uids"),
    )
)
_FOLDER_PLACES = Query(
    lambda _: (
        select(place.c.blob, place.c.mailbox, place.c.uid, place.c.path)
        .where(
            place.c.account == _ACCOUNT,
            place.c.mailbox == bindparam("mailbox"),
            place.c.uid > bindparam("after"),
        )
        .order_by(place.c.uid)
        .limit(bindparam("most"))
    )
)
_BLOB_PLACES = Query(
    lambda among: select(place.c.blob, place.c.mailbox, place.c.uid, place.c.path).where(
        place.c.account == _ACCOUNT, among(place.c.blob, "blobs")
    )
)
_BLOB_MESSAGES = Query(
    lambda among: select(message.c.blob, message.c.mailbox, message.c.uid).where(
        message.c.account == _ACCOUNT, among(message.c.blob, "blobs")
    )
)
_UNUSED_BLOBS = Query(
    lambda among: delete(blob).where(
        blob.c.account == _ACCOUNT,
        among(blob.c.id, "blobs"),
        ~select(message.c.uid)
        .where(message.c.account == blob.c.account, message.c.blob == blob.c.id)
        .exists(),
    )
)
_DROP_PLACE = Query(
    lambda _: delete(place).where(
        place.c.account == _ACCOUNT,
        place.c.blob == bindparam("blob"),
        place.c.mailbox == bindparam("mailbox"),
        place.c.uid == bindparam("uid"),
    )
)
_MESSAGE_UIDS = Query(
    lambda _: (
        select(message.c.uid)
        .where(
            message.c.account == _ACCOUNT,
            message.c.mailbox == bindparam("mailbox"),
            message.c.uid > bindparam("after"),
        )
        .order_by(message.c.uid)
        .limit(bindparam("most"))
    )
)
_ALL = Query(lambda _: select(account.c.id).order_by(account.c.id))
_UNFINISHED = Query(
    lambda among: (
        select(message.c.uid)
        .select_from(message)
        .outerjoin(
            place,
            (place.c.account == message.c.account)
            & (place.c.blob == message.c.blob)
            & (place.c.mailbox == message.c.mailbox)
            & (place.c.uid == message.c.uid),
        )
        .where(
            message.c.account == _ACCOUNT,
            message.c.mailbox == bindparam("mailbox"),
            among(message.c.uid, "uids"),
            (message.c.flags != 0) | (message.c.keywords != 0) | place.c.uid.is_(None),
        )
        .order_by(message.c.uid)
    )
)
_SETS = Query(
    lambda _: select(keyword_set.c.number, keyword_set.c.words).where(
        keyword_set.c.account == _ACCOUNT
    )
)
_BOXES = Query(
    lambda _: select(
        mailbox.c.id,
        mailbox.c.name,
        mailbox.c.uidvalidity,
        mailbox.c.uid_ceiling,
        mailbox.c.highestmodseq,
        mailbox.c.special_use,
        mailbox.c.subscribed,
        mailbox.c.selectable,
    ).where(mailbox.c.account == _ACCOUNT)
)
_PATHS = Query(
    lambda _: select(folder.c.mailbox, folder.c.path).where(folder.c.account == _ACCOUNT)
)
_SUBSCRIPTIONS = Query(
    lambda _: select(subscription.c.name).where(subscription.c.account == _ACCOUNT)
)
_NUMBERS = Query(
    lambda _: select(account.c.modseq, account.c.uidvalidity).where(account.c.id == _ACCOUNT)
)
_PUT_PLACES = MultiRow(place, update=(place.c.path,))
_PUT_FOLDERS = MultiRow(folder, update=(folder.c.path,))
_PUT_MIRROR = MultiRow(mirror, update=(mirror.c.modseq,))


async def accounts_behind(database: Database) -> list[AccountId]:
    """Accounts whose journal the mirror has not followed to its end."""
    return [AccountId(number) for (number,) in await database.fetch(_BEHIND)]


async def read_batch(database: Database, number: AccountId, mark: int = 0) -> Batch:
    """What the journal says behind the watermark or `mark`, the greater; whole modseqs only."""
    found = await database.fetch(_WATERMARK, account=number)
    since = max(found[0][0] if found else 0, mark)
    rows = await database.fetch(_JOURNAL, account=number, since=since, most=_JOURNAL_ROWS)
    if not rows:
        return Batch()
    more = len(rows) == _JOURNAL_ROWS
    if more:
        last = rows[-1][0]
        rows = [row for row in rows if row[0] < last]
        rows += await database.fetch(_AT_MODSEQ, account=number, since=last)
    appended: dict[MailboxId, set[int]] = {}
    touched: dict[MailboxId, set[int]] = {}
    for _, kind, box, packed in rows:
        into = appended if kind == ChangeKind.APPEND else touched
        into.setdefault(MailboxId(box), set()).update(unpack_uids(packed))
    return Batch(
        rows[-1][0],
        {box: sorted(uids - touched.get(box, set())) for box, uids in appended.items()},
        {box: sorted(uids) for box, uids in touched.items()},
        more,
    )


def unpack_uids(packed: bytes) -> "array[int]":
    """The UIDs of a journal row."""
    uids = array("I")
    uids.frombytes(packed)
    return uids


async def read_folders(database: Database, number: AccountId) -> Folders:
    """Mailboxes, folders and subscriptions of one account."""
    boxes = [Box(*row) for row in await database.fetch(_BOXES, account=number)]
    paths = await database.fetch(_PATHS, account=number)
    names = await database.fetch(_SUBSCRIPTIONS, account=number)
    numbers = await database.fetch(_NUMBERS, account=number)
    modseq, uidvalidity = numbers[0] if numbers else (0, 0)
    return Folders(
        {box.id: box for box in boxes},
        {MailboxId(box): path for box, path in paths},
        tuple(sorted(name for (name,) in names)),
        modseq,
        uidvalidity,
    )


async def read_wanted(
    database: Database, number: AccountId, box: MailboxId, uids: Sequence[int]
) -> list[Wanted]:
    """The messages among `uids` (at most CHUNK) that exist."""
    rows = await database.fetch(_MESSAGES, account=number, mailbox=box, uids=database.ids(uids))
    words: dict[int, frozenset[str]] = {0: frozenset()}
    if any(row[3] for row in rows):
        words |= {
            key: frozenset(text.split(" "))
            for key, text in await database.fetch(_SETS, account=number)
        }
    return [
        Wanted(uid, BlobId(number_), System(flags), words.get(keywords, frozenset()), date)
        for uid, number_, flags, keywords, date in rows
    ]


async def unfinished(
    database: Database, number: AccountId, box: MailboxId, uids: Sequence[int]
) -> list[int]:
    """Those of `uids` (at most CHUNK), just come in, that have flags or no name of their own."""
    rows = await database.fetch(_UNFINISHED, account=number, mailbox=box, uids=database.ids(uids))
    return [uid for (uid,) in rows]


async def read_places(
    database: Database, number: AccountId, box: MailboxId, uids: Sequence[int]
) -> list[Place]:
    """Places in one folder for `uids` (at most CHUNK)."""
    rows = await database.fetch(_PLACES, account=number, mailbox=box, uids=database.ids(uids))
    return [Place(*row) for row in rows]


async def folder_places(
    database: Database, number: AccountId, box: MailboxId, after: int
) -> list[Place]:
    """The next CHUNK places of a folder with a UID above `after`."""
    rows = await database.fetch(
        _FOLDER_PLACES, account=number, mailbox=box, after=after, most=CHUNK
    )
    return [Place(*row) for row in rows]


async def places_of_blobs(
    database: Database, number: AccountId, blobs: Iterable[BlobId]
) -> dict[BlobId, list[Place]]:
    """The places of each blob that has any."""
    wanted = list(blobs)
    if not wanted:
        return {}
    rows = await database.fetch(_BLOB_PLACES, account=number, blobs=database.ids(wanted))
    found: dict[BlobId, list[Place]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Place(*row))
    return found


async def page_of_uids(
    database: Database, number: AccountId, box: MailboxId, after: int
) -> list[int]:
    """The next UIDs above `after` that have a message or a place; at most CHUNK, [] at the end."""
    rows = await database.fetch(_MESSAGE_UIDS, account=number, mailbox=box, after=after, most=CHUNK)
    places = await folder_places(database, number, box, after)
    uids = sorted({row[0] for row in rows} | {place.uid for place in places})
    return uids[:CHUNK]


async def all_accounts(database: Database) -> list[AccountId]:
    """Every account of the index."""
    return [AccountId(number) for (number,) in await database.fetch(_ALL)]


def put_places(conn: Connection, number: AccountId, places: Sequence[Place]) -> None:
    """Job: these names exist and are durable."""
    _PUT_PLACES.run(conn, [(number, p.blob, p.mailbox, p.uid, p.path) for p in places])


def removable(
    conn: Connection, number: AccountId, gone: Sequence[Place]
) -> tuple[list[Place], list[tuple[MailboxId, int]]]:
    """Job: which of `gone` may be unlinked, and messages that must get a name first.

    A name may go when no message row has its blob, or when a message that has it has a name of its
    own. Inside the writer's transaction neither can change before the unlink: a message without a
    row can't be copied.
    """
    blobs = id_list(conn.dialect.name, sorted({one.blob for one in gone}))
    alive: dict[BlobId, set[tuple[MailboxId, int]]] = {}
    for number_, box, uid in _BLOB_MESSAGES.run(conn, account=number, blobs=blobs):
        alive.setdefault(number_, set()).add((box, uid))
    named: dict[BlobId, set[tuple[MailboxId, int]]] = {}
    for number_, box, uid, _ in _BLOB_PLACES.run(conn, account=number, blobs=blobs):
        named.setdefault(number_, set()).add((box, uid))
    free: list[Place] = []
    first: set[tuple[MailboxId, int]] = set()
    for one in gone:
        users = alive.get(one.blob, set())
        if (one.mailbox, one.uid) in users:
            continue
        if not users or users & named.get(one.blob, set()):
            free.append(one)
        else:
            first |= users
    return free, sorted(first)


def drop_places(conn: Connection, number: AccountId, places: Sequence[Place]) -> None:
    """Job: these names are gone; blobs that no message has go with them."""
    for one in places:
        _DROP_PLACE.run(conn, account=number, blob=one.blob, mailbox=one.mailbox, uid=one.uid)
    blobs = sorted({one.blob for one in places})
    for start in range(0, len(blobs), CHUNK):
        ids = id_list(conn.dialect.name, blobs[start : start + CHUNK])
        _UNUSED_BLOBS.run(conn, account=number, blobs=ids)


def put_folder(conn: Connection, number: AccountId, box: MailboxId, path: str) -> None:
    """Job: the mailbox's folder stands at `path`."""
    _PUT_FOLDERS.run(conn, [(number, box, path)])


def drop_folder(conn: Connection, number: AccountId, box: MailboxId) -> bool:
    """Job: forgets the folder, unless its mailbox came back or it holds messages; True if so."""
    alive = select(mailbox.c.id).where(
        mailbox.c.account == number, mailbox.c.id == box, mailbox.c.selectable
    )
    used = select(place.c.uid).where(place.c.account == number, place.c.mailbox == box).limit(1)
    if conn.execute(alive).first() or conn.execute(used).first():
        return False
    conn.execute(delete(folder).where(folder.c.account == number, folder.c.mailbox == box))
    return True


def advance(conn: Connection, marks: Mapping[AccountId, int]) -> None:
    """Job: the mirror has followed each account's journal up to a modseq."""
    numbers = list(marks)
    for start in range(0, len(numbers), CHUNK):
        some = account.c.id.in_(numbers[start : start + CHUNK])
        there = conn.execute(select(account.c.id).where(some)).scalars().all()
        _PUT_MIRROR.run(conn, [(number, marks[AccountId(number)]) for number in there])
