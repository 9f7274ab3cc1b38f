"""Always on for the MX: who is the stranger that connects, and how does it call itself?

Reverse DNS and the lists of addresses are asked together, so that a connection waits once.
Peers in filters.local_networks are not looked at.
"""

import asyncio
from dataclasses import replace

from config.settings import Settings
from filters.context import Context, Kind
from filters.dnslists import DnsLists
from filters.filter import Filter
from filters.helo import judge_helo
from filters.reverse import find_reverse
from filters.verdict import ACCEPT, Action, Verdict, merge
from net.dns import Resolver
from net.local_address import is_local
from net.networks import parse_address
from storage.directory import Directory


class Stranger(Filter):
    """Gives symbols and the verified name; refuses as smtp.refuse_helo and dnsbl.list say."""

    name = "stranger"

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        directory: Directory,
        lists: DnsLists | None = None,
    ) -> None:
        self._hostname = settings.hostname
        self._refused = frozenset(settings.smtp.refuse_helo)
        self._resolver, self._directory, self._lists = resolver, directory, lists

    async def connect(self, context: Context) -> Verdict:
        address = context.peer.address
        if is_known(context) or _is_loopback(address):
            return ACCEPT
        (name, found), listed = await asyncio.gather(
            find_reverse(self._resolver, address), self._judge_address(address)
        )
        own = Verdict(symbols=(found.value,) if found.value else (), reverse=name)
        return merge([own, listed])

    async def helo(self, context: Context) -> Verdict:
        if is_known(context):
            return ACCEPT
        symbol = judge_helo(context.helo, context.peer.address, self._is_ours, is_local)
        if not symbol:
            return ACCEPT
        verdict = Verdict(symbols=(symbol,))
        if symbol not in self._refused:
            return verdict
        text = f"{context.helo[:100]} is no name for you to greet with"
        return replace(verdict, action=Action.REJECT, code=550, status="5.7.1", text=text)

    async def mail(self, context: Context) -> Verdict:
        if is_known(context) or self._lists is None:
            return ACCEPT
        domain = context.sender.rpartition("@")[2]
        return await self._lists.judge_domains({domain, context.helo, context.peer.reverse})

    async def _judge_address(self, address: str) -> Verdict:
        return ACCEPT if self._lists is None else await self._lists.judge_address(address)

    def _is_ours(self, name: str) -> bool:
        return name == self._hostname or self._directory.serves(name)


def _is_loopback(address: str) -> bool:
    """This machine, though not a local network by the configuration: DNS knows nothing of it."""
    parsed = parse_address(address)
    return parsed is not None and parsed.is_loopback


def is_known(context: Context) -> bool:
    """Whether these questions are not asked: no MX connection, or one of ours."""
    return context.kind is not Kind.MX or context.peer.local or context.login is not None
