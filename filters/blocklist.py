"""Networks that may not connect at all, asked again where the peer's address is known for certain.

At accept auth/admission.py has asked already, of the address that the socket has.
"""

from filters.context import Context
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict, reject
from storage.directory import Directory

_REFUSED = reject("Your network is blocked", code=554, symbol="BLOCKLIST")


class Blocklist(Filter):
    """Refuses the connection with 554 5.7.1."""

    name = "blocklist"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def connect(self, context: Context) -> Verdict:
        return _REFUSED if self._directory.blocks.covering(context.peer.address) else ACCEPT
