"""Statements of the blob store, in the caller's transaction."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.blob_values import (
    Blob,
    BlobHash,
    BlobQuota,
    Bound,
    Kind,
    Reference,
    Scan,
    Usage,
)
from storage.config_blob_tables import blob, blob_ref
from storage.config_schema import account as accounts
from storage.errors import NoSuchAccount
from storage.values import AccountId

_b, _r = blob.c, blob_ref.c
_COLUMNS = (_b.hash, _b.size, _b.created, _b.scan, _b.signatures, _b.found)


def _referred() -> ColumnElement[bool]:
    return exists(select(_r.hash).where(_r.hash == _b.hash))


def blob_of(row: Sequence[Any]) -> Blob:
    """Of a row of `_COLUMNS`."""
    return Blob(BlobHash(row[0]), row[1], row[2], Scan(row[3]), row[4], row[5])


async def put(at: AsyncConnection, name: BlobHash, size: int, now: float) -> None:
    """A row for the content; one that is there is not condemned any more."""
    kept = update(blob).where(_b.hash == name).values(condemned=None)
    if not (await at.execute(kept)).rowcount:
        await at.execute(insert(blob).values(hash=name, size=size, created=now))


async def known(at: AsyncConnection, names: Collection[BlobHash]) -> dict[BlobHash, Blob]:
    """Whoever refers to them."""
    rows = await at.execute(select(*_COLUMNS).where(_b.hash.in_(names)))
    return {BlobHash(row[0]): blob_of(row) for row in rows}


async def seen(
    at: AsyncConnection, account: AccountId, names: Collection[BlobHash], now: float
) -> dict[BlobHash, Blob]:
    """Those that the account refers to."""
    valid = or_(_r.expires.is_(None), _r.expires > now)
    mine = exists(select(_r.hash).where(_r.account == account, _r.hash == _b.hash, valid))
    rows = await at.execute(select(*_COLUMNS).where(_b.hash.in_(names), mine))
    return {BlobHash(row[0]): blob_of(row) for row in rows}


async def refer(
    at: AsyncConnection, account: AccountId, name: BlobHash, reference: Reference, now: float
) -> None:
    """One that is there gets this age and this end. Raises NoSuchAccount."""
    there = select(accounts.c.id).where(accounts.c.id == account)
    if (await at.execute(there)).first() is None:
        raise NoSuchAccount("The account is gone")
    same = and_(
        _r.account == account,
        _r.kind == reference.kind,
        _r.ref == reference.ref,
        _r.hash == name,
    )
    again = update(blob_ref).where(same).values(created=now, expires=reference.expires)
    if (await at.execute(again)).rowcount:
        return
    values = {"kind": reference.kind.value, "ref": reference.ref, "expires": reference.expires}
    made = insert(blob_ref).values(account=account, hash=name, created=now, **values)
    await at.execute(made)


async def usage(at: AsyncConnection, account: AccountId, kind: Kind | None) -> Usage:
    """Of one kind, or of all."""
    mine = select(_r.hash).where(_r.account == account)
    if kind is not None:
        mine = mine.where(_r.kind == kind)
    query = select(func.coalesce(func.sum(_b.size), 0), func.count()).where(_b.hash.in_(mine))
    octets, count = (await at.execute(query)).one()
    return Usage(int(octets), count)


async def keep_within(
    at: AsyncConnection, account: AccountId, kind: Kind, new: BlobHash, bound: Bound
) -> Sequence[BlobHash]:
    """After `new` was referred to: what made room for it. Raises BlobQuota."""
    if not (bound.octets or bound.blobs):
        return ()
    used = await usage(at, account, kind)
    octets = used.octets - bound.octets if bound.octets else 0
    count = used.blobs - bound.blobs if bound.blobs else 0
    if octets <= 0 and count <= 0:
        return ()
    if not bound.oldest_go:
        raise BlobQuota("there is no room for it")
    query = (
        select(_r.hash, _b.size)
        .join(blob, _b.hash == _r.hash)
        .where(_r.account == account, _r.kind == kind, _r.hash != new)
        .group_by(_r.hash, _b.size)
        .order_by(func.max(_r.created), _r.hash)
    )
    gone: list[BlobHash] = []
    for name, size in await at.execute(query):
        if octets <= 0 and count <= 0:
            break
        gone.append(BlobHash(name))
        octets, count = octets - size, count - 1
    if octets > 0 or count > 0:
        raise BlobQuota("there is no room for it")
    for start in range(0, len(gone), 500):
        old = and_(_r.account == account, _r.kind == kind, _r.hash.in_(gone[start : start + 500]))
        await at.execute(delete(blob_ref).where(old))
    return gone


async def unrefer(
    at: AsyncConnection, account: AccountId, kind: Kind, ref: str, name: BlobHash | None
) -> int:
    """How many references went."""
    mine = delete(blob_ref).where(_r.account == account, _r.kind == kind, _r.ref == ref)
    if name is not None:
        mine = mine.where(_r.hash == name)
    return (await at.execute(mine)).rowcount


async def expire(at: AsyncConnection, now: float) -> None:
    """Ends references whose time is over."""
    await at.execute(delete(blob_ref).where(_r.expires <= now))


async def loose(at: AsyncConnection) -> list[BlobHash]:
    """Those that nothing refers to, and that are not condemned yet."""
    query = select(_b.hash).where(_b.condemned.is_(None), ~_referred())
    return [BlobHash(name) for (name,) in await at.execute(query)]


async def condemn(at: AsyncConnection, names: Collection[BlobHash], now: float) -> None:
    """Notes since when these have had no reference, where they still have none."""
    fresh = and_(_b.hash.in_(names), _b.condemned.is_(None), ~_referred())
    await at.execute(update(blob).where(fresh).values(condemned=now))


async def condemned(at: AsyncConnection, before: float, most: int) -> list[BlobHash]:
    """Those that have had no reference since that time."""
    query = select(_b.hash).where(_b.condemned <= before, ~_referred()).limit(most)
    return [BlobHash(name) for (name,) in await at.execute(query)]


async def remove(at: AsyncConnection, name: BlobHash, before: float | None) -> bool:
    """Whether the row went: it has no reference, and, with `before`, had none since then."""
    old = and_(_b.hash == name, ~_referred())
    if before is not None:
        old = and_(old, _b.condemned <= before)
    return bool((await at.execute(delete(blob).where(old))).rowcount)


async def judge(
    at: AsyncConnection, name: BlobHash, scan: Scan, signatures: str, found: str
) -> None:
    """What the scanner said."""
    values = {"scan": scan.value, "signatures": signatures, "found": found}
    await at.execute(update(blob).where(_b.hash == name).values(**values))


async def unjudged(at: AsyncConnection, most: int, signatures: str) -> list[Blob]:
    """Blobs that nobody looked at, or that were clean by other signatures; the newest first."""
    older = and_(_b.scan == Scan.CLEAN.value, _b.signatures != signatures)
    wanted = or_(_b.scan == Scan.PENDING.value, older)
    query = select(*_COLUMNS).where(wanted, _b.condemned.is_(None))
    query = query.order_by(_b.created.desc(), _b.hash).limit(most)
    return [blob_of(row) for row in await at.execute(query)]
