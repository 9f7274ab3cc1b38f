"""The blocklist: networks of the configuration and of `mailserver block`, looked up in memory.

`edited` is called when a command made or ended a block here; `refresh` takes what others did.
Invariants: a change is committed, then in force, then told to the listeners;
a look-up runs no SQL; a block whose time is over refuses nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from config.fields import Network
from net.networks import NetworkTable, parse_address, plain_network
from storage.config_database import ConfigDatabase
from storage.config_schema import block
from storage.directory_values import Absent, AlreadyExists, NotAllowed, Source

MAX_BLOCKS = 200_000
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Block:
    """A network that may not connect; times in seconds since 1970, `until` None for ever."""

    network: Network
    until: float | None = None
    reason: str = ""
    created: float = 0.0
    source: Source = Source.COMMAND

    def holds(self, address: str) -> bool:
        """Whether an address lies in the network."""
        parsed = parse_address(address)
        return parsed is not None and parsed in self.network


Listener = Callable[[Block], None]


class Blocks:
    """Belongs to the directory, whose database it uses."""

    def __init__(
        self, database: ConfigDatabase, clock: Clock, configured: Sequence[Network]
    ) -> None:
        self._database, self._clock = database, clock
        self._commanded: dict[Network, Block] = {}
        self._by_command: NetworkTable[Block] = NetworkTable()
        self._by_config: NetworkTable[Block] = NetworkTable()
        self._listeners: dict[object, Listener] = {}
        self.edited: Callable[[], None] = lambda: None
        self._configured: tuple[Network, ...] = ()
        self.reload(configured)

    async def load(self) -> None:
        """Reads what commands blocked."""
        for found in await self._database.finish(self._load()):
            self._take(found)

    async def refresh(self) -> None:
        """Reads it again, and tells of what is new."""
        found = {one.network: one for one in await self._database.finish(self._load())}
        for gone in [network for network in self._commanded if network not in found]:
            self._drop(gone)
        for one in [one for one in found.values() if self._commanded.get(one.network) != one]:
            self._take(one)
            self._tell(one)

    def reload(self, configured: Sequence[Network]) -> None:
        """Takes blocklist.networks of a changed configuration."""
        networks = tuple(map(plain_network, configured))
        if networks == self._configured:
            return
        self._configured = networks
        self._by_config = NetworkTable()
        for network in networks:
            found = Block(network, source=Source.CONFIG)
            self._by_config.put(network, found)
            self._tell(found)

    def covering(self, address: str) -> Block | None:
        """The block that an address is under, if any."""
        for found in self._by_config.holding(address):
            return found
        for found in self._by_command.holding(address):
            if found.until is None or found.until > self._clock.now():
                return found
        return None

    def listed(self) -> list[Block]:
        """Those in force, in order of address, the configuration's included."""
        now = self._clock.now()
        configured = [Block(network, source=Source.CONFIG) for network in set(self._configured)]
        commanded = [one for one in self._commanded.values() if not _is_over(one, now)]
        return sorted(configured + commanded, key=_order)

    def on_change(self, callback: Listener) -> Callable[[], None]:
        """Calls back in the loop for each network blocked from here on; returns the
        unsubscriber.
        """
        token = object()
        self._listeners[token] = callback

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def add(self, network: Network, until: float | None = None, reason: str = "") -> Block:
        """Blocks a network. Raises AlreadyExists, NotAllowed (a time that is over, too many)."""
        return await self._database.finish(self._add(plain_network(network), until, reason))

    async def delete(self, network: Network) -> Block:
        """Ends a block that a command made. Raises Absent, NotAllowed (a configured one)."""
        return await self._database.finish(self._delete(plain_network(network)))

    async def _add(self, network: Network, until: float | None, reason: str) -> Block:
        now = self._clock.now()
        if until is not None and until <= now:
            raise NotAllowed(f"The time until which {network} shall be blocked is over")
        present = self._commanded.get(network)
        if network in self._configured or (present is not None and not _is_over(present, now)):
            raise AlreadyExists(f"{network} is blocked already")
        if len(self._commanded) >= MAX_BLOCKS:
            raise NotAllowed(f"There are {MAX_BLOCKS} blocks; join neighbours into larger networks")
        made = Block(network, until, reason[:MAX_REASON], now)
        over = [one.network for one in self._commanded.values() if _is_over(one, now)]
        async with self._database.writing() as connection:
            for gone in over:
                await _remove(connection, gone)
            row = {"network": str(network), "until": until}
            row |= {"reason": made.reason, "created": now}
            await connection.execute(insert(block).values(row))
        for gone in over:
            self._drop(gone)
        self._take(made)
        self._tell(made)
        self.edited()
        return made

    async def _delete(self, network: Network) -> Block:
        present = self._commanded.get(network)
        if present is None and network in self._configured:
            raise NotAllowed(f"{network} stands in the configuration file; remove it there")
        if present is None:
            raise Absent(f"{network} is not blocked")
        async with self._database.writing() as connection:
            await _remove(connection, network)
        self._drop(network)
        self.edited()
        return present

    async def _load(self) -> list[Block]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(block))).all()
        return [
            Block(ip_network(text), until, reason, created) for text, until, reason, created in rows
        ]

    def _take(self, found: Block) -> None:
        self._commanded[found.network] = found
        self._by_command.put(found.network, found)

    def _drop(self, network: Network) -> None:
        self._commanded.pop(network, None)
        self._by_command.remove(network)

    def _tell(self, made: Block) -> None:
        for listener in tuple(self._listeners.values()):
            listener(made)


async def _remove(connection: AsyncConnection, network: Network) -> None:
    await connection.execute(delete(block).where(block.c.network == str(network)))


def _is_over(found: Block, now: float) -> bool:
    return found.until is not None and found.until <= now


def _order(found: Block) -> tuple[int, int, int]:
    network = found.network
    return network.version, int(network.network_address), network.prefixlen
