"""Networks that may not connect at all: blocklist.networks."""

from collections.abc import Sequence

from auth.networks import in_networks
from config.settings import Network
from filters.context import Context
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict, reject

_REFUSED = reject("Your network is blocked", code=554, symbol="BLOCKLIST")


class Blocklist(Filter):
    """Refuses the connection with 554 5.7.1."""

    name = "blocklist"

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    async def connect(self, context: Context) -> Verdict:
        if self._networks and in_networks(context.peer.address, self._networks):
            return _REFUSED
        return ACCEPT
