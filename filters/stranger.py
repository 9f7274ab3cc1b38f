"""Always on for the MX: who is the stranger that connects, and how does it call itself?

Reverse DNS and the lists of addresses are asked together, so that a connection waits once.
Peers in filters.local_networks are not looked at.
"""

from dataclasses import replace

from config.settings import Settings
from filters.context import Context, Kind
from filters.filter import Filter
from filters.helo import judge_helo
from filters.reverse import find_reverse
from filters.verdict import ACCEPT, Action, Verdict
from net.dns import Resolver
from net.local_address import is_local
from storage.directory import Directory


class Stranger(Filter):
    """Gives symbols, and at connect the verified name; refuses what smtp.refuse_helo names."""

    name = "stranger"

    def __init__(self, settings: Settings, resolver: Resolver, directory: Directory) -> None:
        self._hostname = settings.hostname
        self._refused = frozenset(settings.smtp.refuse_helo)
        self._resolver, self._directory = resolver, directory

    async def connect(self, context: Context) -> Verdict:
        if is_known(context):
            return ACCEPT
        name, found = await find_reverse(self._resolver, context.peer.address)
        return Verdict(symbols=(found.value,) if found.value else (), reverse=name)

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

    def _is_ours(self, name: str) -> bool:
        return name == self._hostname or self._directory.serves(name)


def is_known(context: Context) -> bool:
    """Whether these questions are not asked: no MX connection, or one of ours."""
    return context.kind is not Kind.MX or context.peer.local or context.login is not None
