"""Blocks networks that fail to log in too often, for a while that doubles each time.

A block goes to the blocklist, which every listener asks at accept (auth/admission.py). Invariants:
never blocked are filters.local_networks and http.trusted_proxies; an address that an account logged
in from before may fail ten times as often, and a network with such an address is not blocked whole.
"""

import asyncio
from ipaddress import ip_network
from typing import Final

from auth.audit import Audit
from auth.networks import in_networks
from auth.scores import Scores
from config.clock import Clock
from config.logging import get_logger
from config.settings import Settings
from net.limits import address_key, network_key
from net.networks import parse_address
from storage.audit_values import Kind
from storage.blocks import Blocks
from storage.directory_values import AlreadyExists
from storage.errors import StoreError
from storage.known_logins import KnownLogins

USED: Final = 10
"""How many times as much is forgiven where somebody of ours logs in."""
NETWORK: Final = 10
"""How many times as much is forgiven a whole network."""
STRIKES_HALVE: Final = 86_400.0
ENTRIES: Final = 20_000


class Blocker:
    """Hears of failures, and blocks."""

    def __init__(self, blocks: Blocks, known: KnownLogins, audit: Audit, clock: Clock) -> None:
        self._blocks, self._known, self._audit, self._clock = blocks, known, audit, clock
        self._strikes = Scores(clock, STRIKES_HALVE, ENTRIES)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._settings: Settings | None = None

    def reload(self, settings: Settings) -> None:
        """Takes auth.block_... and the networks that are never blocked."""
        self._settings = settings

    def failed(self, peer: str, address: float, network: float) -> None:
        """A failure; the scores are those of the address and of the network around it."""
        settings = self._settings
        if settings is None or not settings.auth.block_after or self._is_exempt(peer, settings):
            return
        most = settings.auth.block_after
        if network >= most * NETWORK and not self._known.is_used_network(peer):
            self._block(network_key(peer), peer, settings)
        elif address >= most * (USED if self._known.is_used(peer) else 1):
            self._block(_one(peer), peer, settings)

    async def settle(self) -> None:
        """Waits for blocks that are being made."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _is_exempt(self, peer: str, settings: Settings) -> bool:
        never = (*settings.filters.local_networks, *settings.http.trusted_proxies)
        return parse_address(peer) is None or in_networks(peer, never)

    def _block(self, network: str, peer: str, settings: Settings) -> None:
        if network in self._tasks or self._blocks.covering(peer) is not None:
            return
        auth = settings.auth
        strikes = self._strikes.of(network)
        self._strikes.add(network)
        seconds = min(auth.block_time * 2.0 ** min(strikes, 30.0), auth.block_time_most)
        task = self._tasks[network] = asyncio.create_task(self._add(network, seconds))
        task.add_done_callback(lambda _: self._tasks.pop(network, None))

    async def _add(self, network: str, seconds: float) -> None:
        log = get_logger("auth")
        until = self._clock.now() + seconds
        try:
            await self._blocks.add(ip_network(network), until, "failed logins")
        except AlreadyExists:
            return
        except StoreError as error:
            log.warning("a network could not be blocked", network=network, reason=str(error))
            return
        log.info("network blocked", network=network, seconds=round(seconds))
        self._audit.record(Kind.BLOCKED, None, address=network, detail=f"{round(seconds)} seconds")


def _one(peer: str) -> str:
    """The network that counts as one address."""
    key = address_key(peer)
    return f"{key}/64" if ":" in key else key
