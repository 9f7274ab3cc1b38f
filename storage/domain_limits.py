"""What the administrators of a domain may give out: how many accounts, how much quota in all.

Administrators of the server are not bound by it. It is checked in the transaction of a change,
after it, so that no two changes pass together what neither may.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_database import ConfigDatabase
from storage.config_role_tables import domain_limit as table
from storage.config_schema import account
from storage.directory_values import NotAllowed

_c = table.c


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """`accounts` in number, `quota` the sum of their quotas in octets; 0 is no bound. With a bound
    of the quota every account that is made or changed needs one.
    """

    accounts: int = 0
    quota: int = 0


NO_LIMIT: Final = DomainLimit()


class DomainLimits:
    """Belongs to the directory, whose database it uses."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    async def of(self, domain: str) -> DomainLimit:
        return (await self.every()).get(domain, NO_LIMIT)

    async def every(self) -> dict[str, DomainLimit]:
        """Those of the domains that have one."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(_c.domain, _c.accounts, _c.quota))
            return {name: DomainLimit(accounts, quota) for name, accounts, quota in rows}

    async def set(self, domain: str, limit: DomainLimit) -> None:
        """In place of what the domain had."""
        await self._database.finish(self._set(domain, limit))

    async def _set(self, domain: str, limit: DomainLimit) -> None:
        values = {"domain": domain, "accounts": limit.accounts, "quota": limit.quota}
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(_c.domain == domain))
            if limit != NO_LIMIT:
                await connection.execute(insert(table).values(values))


async def refuse_beyond(
    at: AsyncConnection, domain: str, changed: str, before: int | None = None
) -> None:
    """In the transaction of a change of the account with the key `changed`, behind it: it was made,
    or had the quota `before`, which may always become less. Raises NotAllowed.
    """
    query = select(_c.accounts, _c.quota).where(_c.domain == domain)
    row = (await at.execute(query)).first()
    if row is None:
        return
    mine = account.c.domain == domain
    total = func.coalesce(func.sum(account.c.quota_bytes), 0)
    number, octets = (await at.execute(select(func.count(), total).where(mine))).one()
    if before is None and row.accounts and number > row.accounts:
        raise NotAllowed(f"{domain} may have {row.accounts} accounts")
    if not row.quota:
        return
    own = select(account.c.quota_bytes).where(account.c.key == changed)
    quota = (await at.execute(own)).scalar_one()
    if not quota:
        raise NotAllowed(f"Accounts of {domain} need a quota: they may have {row.quota} together")
    if octets > row.quota and not (before and quota <= before):
        raise NotAllowed(f"Accounts of {domain} may have {row.quota} octets of quota together")
