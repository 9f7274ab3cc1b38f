"""SQL that all kinds of second factor share: whether one is on, recovery codes, wrong codes.

Each belongs into a transaction of the caller's.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_auth_tables import recovery_code, second_factor
from storage.config_factor_tables import factor_tries, passkey, sms_factor
from storage.values import AccountId

TRIES: Final = 10
PAUSE: Final = 300.0
LONGEST_PAUSE: Final = 3600.0
DAY: Final = 86_400.0
_f, _r, _t = second_factor.c, recovery_code.c, factor_tries.c
_p, _s = passkey.c, sms_factor.c


async def kinds_of(connection: AsyncConnection, account: AccountId) -> tuple[str, ...]:
    """What the account's second factor may be, of `totp`, `sms`, `passkey` and `recovery_code`;
    nothing when the password alone is enough.
    """
    asked = {
        "totp": select(_f.account).where(_f.account == account, _f.confirmed.is_not(None)),
        "sms": select(_s.account).where(_s.account == account, _s.confirmed.is_not(None)),
        "passkey": select(_p.account).where(_p.account == account, _p.factor),
    }
    found = [
        kind
        for kind, query in asked.items()
        if (await connection.execute(query.limit(1))).first() is not None
    ]
    if found and await codes_left(connection, account):
        found.append("recovery_code")
    return tuple(found)


async def codes_left(connection: AsyncConnection, account: AccountId) -> int:
    """Recovery codes that were not used."""
    count = select(func.count()).select_from(recovery_code).where(_r.account == account)
    found: int = (await connection.execute(count)).scalar_one()
    return found


async def take_code(connection: AsyncConnection, account: AccountId, digest: bytes) -> bool:
    """Whether it was a recovery code; it is none any more."""
    mine = (_r.account == account) & (_r.hash == digest)
    gone = delete(recovery_code).where(mine).returning(_r.account)
    return (await connection.execute(gone)).first() is not None


async def put_codes(
    connection: AsyncConnection, account: AccountId, digests: Iterable[bytes]
) -> None:
    """These, in the place of those that there were."""
    await connection.execute(delete(recovery_code).where(_r.account == account))
    rows = [{"account": account, "hash": digest} for digest in digests]
    if rows:
        await connection.execute(insert(recovery_code), rows)


async def drop_codes_of_none(connection: AsyncConnection, account: AccountId) -> None:
    """One factor went: without another, recovery codes are good for nothing."""
    if not await kinds_of(connection, account):
        await put_codes(connection, account, ())
        await connection.execute(delete(factor_tries).where(_t.account == account))


async def recent_failures(
    connection: AsyncConnection, account: AccountId, now: float
) -> tuple[int, bool]:
    """Wrong codes since the last right one, which are forgotten a day after the last, and whether
    another is looked at: after TRIES of them one a PAUSE, which each further one doubles.
    """
    query = select(_t.failures, _t.failed).where(_t.account == account)
    row = (await connection.execute(query)).first()
    if row is None or now - row.failed >= DAY:
        return 0, True
    beyond = row.failures - TRIES
    pause = min(PAUSE * 2.0 ** min(beyond, 10), LONGEST_PAUSE) if beyond >= 0 else 0.0
    return row.failures, now - row.failed >= pause


async def count_failures(
    connection: AsyncConnection, account: AccountId, failures: int, now: float
) -> None:
    """So many wrong ones by now."""
    values = {"failures": failures, "failed": now}
    change = update(factor_tries).where(_t.account == account).values(values)
    if not (await connection.execute(change)).rowcount and failures:
        await connection.execute(insert(factor_tries).values(account=account, **values))
