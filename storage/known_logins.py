"""Where accounts logged in from: an IPv4 address or an IPv6 /64 each, all in memory, written within
some seconds. `noted` hears of each, `forgotten` of each network that is forgotten.

Invariants: bounded by age and number, those longest unused go first; a look-up runs no SQL.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from sqlalchemy import delete, insert, select, update

from config.clock import Clock
from net.limits import address_key, network_key
from storage.config_database import ConfigDatabase
from storage.config_defence_tables import known_login
from storage.config_schema import account as account_table
from storage.directory_values import Absent
from storage.values import AccountId
from storage.write_behind import WriteBehind

DAY: Final = 86_400.0
KEPT: Final = 90 * DAY
MOST: Final = 200_000
FRESH: Final = 3600.0
"""A login sooner than this after the one before is not written again."""

_Key = tuple[AccountId, str]
_c = known_login.c


class KnownLogins(WriteBehind[_Key, float]):
    """Belongs to the directory, whose database it uses."""

    log_of = "auth"
    not_written = "where accounts logged in from is not stored"
    flush_seconds = 1.0

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        super().__init__(database, clock)
        self.most = MOST
        self.noted: Callable[[AccountId, str], None] = lambda account, address: None
        self.forgotten: Callable[[AccountId, str], None] = lambda account, network: None
        self._last: OrderedDict[_Key, float] = OrderedDict()
        self._networks: dict[AccountId, dict[str, float]] = {}
        self._used: dict[str, float] = {}

    async def load(self) -> None:
        """Reads the newest."""
        since = self._clock.now() - KEPT
        query = select(_c.account, _c.address, _c.last).where(_c.last >= since)
        query = query.order_by(_c.last.desc()).limit(self.most)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        for account, address, last in reversed(rows):
            self._note(AccountId(account), address, last)

    def has(self, account: AccountId, address: str) -> bool:
        """Whether the account logged in from this address within KEPT."""
        return self._recent(self._last.get((account, address_key(address))))

    def has_network(self, account: AccountId, address: str) -> bool:
        """The same of the network around it (IPv4 /24, IPv6 /48)."""
        return self._recent(self._networks.get(account, {}).get(network_key(address)))

    def has_any(self, account: AccountId) -> bool:
        """Whether the account ever logged in within KEPT."""
        return any(map(self._recent, self._networks.get(account, {}).values()))

    def is_used(self, address: str) -> bool:
        """Whether any account logged in from this address within KEPT."""
        return self._recent(self._used.get(address_key(address)))

    def is_used_network(self, address: str) -> bool:
        """The same of the network around it."""
        return self._recent(self._used.get(network_key(address)))

    def note(self, account: AccountId, address: str) -> None:
        """A login that succeeded."""
        key, now = address_key(address), self._clock.now()
        known = self._last.get((account, key))
        if known is not None and now - known < FRESH:
            return
        self._note(account, key, now)
        self._put((account, key), now)
        self.noted(account, key)

    def heard(self, account: AccountId, address: str) -> None:
        """A login that another process noted, and writes."""
        self._note(account, address_key(address), self._clock.now())

    def networks(self, account: AccountId) -> dict[str, float]:
        """The networks of its logins within KEPT, as net.limits.network_key writes them, each with
        the last one in seconds since 1970.
        """
        found = self._networks.get(account, {})
        return {network: last for network, last in found.items() if self._recent(last)}

    async def forget_network(self, account: AccountId, network: str) -> None:
        """The account never logged in from there. Raises Absent, StoreError."""
        if network not in self._networks.get(account, {}):
            raise Absent(f"No login from {network} is known")
        async with self._writing:  # what is being written is written before it is removed
            await self._database.finish(self._forget_network(account, network))

    def heard_forgotten(self, account: AccountId, network: str) -> None:
        """Another process has removed it."""
        for keys in (self._last, self._waiting):
            for key in [key for key in keys if _is_of(key, account, network)]:
                del keys[key]
        self._networks.get(account, {}).pop(network, None)

    async def _forget_network(self, account: AccountId, network: str) -> None:
        async with self._database.writing() as connection:
            known = select(_c.address).where(_c.account == account)
            found = (await connection.execute(known)).scalars().all()
            for address in found:
                if network_key(address) == network:
                    mine = (_c.account == account) & (_c.address == address)
                    await connection.execute(delete(known_login).where(mine))
        self.heard_forgotten(account, network)
        self.forgotten(account, network)

    def forget(self, account: AccountId) -> None:
        """The account is gone, and its rows with it."""
        for key in [key for key in self._last if key[0] == account]:
            del self._last[key]
        self._networks.pop(account, None)

    async def prune(self) -> None:
        """Removes what is old, and the oldest of what is too much."""
        async with self._database.writing() as connection:
            edge = self._clock.now() - KEPT
            newest = select(_c.last).order_by(_c.last.desc()).offset(self.most).limit(1)
            edge = max(edge, (await connection.execute(newest)).scalar() or 0.0)
            await connection.execute(delete(known_login).where(_c.last <= edge))

    def _note(self, account: AccountId, key: str, last: float) -> None:
        self._last[account, key] = last
        self._last.move_to_end((account, key))
        self._networks.setdefault(account, {})[network_key(key)] = last
        self._used[key] = self._used[network_key(key)] = last
        if len(self._last) > self.most:
            gone, _ = self._last.popitem(last=False)
            self._networks.get(gone[0], {}).pop(network_key(gone[1]), None)
            self._used.pop(gone[1], None)
            self._used.pop(network_key(gone[1]), None)

    def _recent(self, last: float | None) -> bool:
        return last is not None and self._clock.now() - last < KEPT

    async def _write(self, waiting: dict[_Key, float]) -> None:
        async with self._database.writing() as connection:
            for (account, address), last in waiting.items():
                mine = (_c.account == account) & (_c.address == address)
                if (
                    await connection.execute(update(known_login).where(mine).values(last=last))
                ).rowcount:
                    continue
                there = select(account_table.c.id).where(account_table.c.id == account)
                if (await connection.execute(there)).first() is None:
                    continue  # deleted meanwhile
                values = {"account": account, "address": address, "first": last, "last": last}
                await connection.execute(insert(known_login).values(values))


def _is_of(key: _Key, account: AccountId, network: str) -> bool:
    return key[0] == account and network_key(key[1]) == network
