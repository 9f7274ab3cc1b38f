"""Checks that are always on: the size of the message and of its header, and the header's syntax.

Line ends, NUL and the size while the message arrives are smtp/intake.py's.
"""

from config.sections_server import Limits
from filters.context import Context
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict, reject

_TOO_BIG = reject("Message too big for system", status="5.3.4", code=552)
_HEADER_TOO_BIG = reject("Message header too big", status="5.3.4", code=552)


class Syntax(Filter):
    """Refuses what no program could read; everything merely odd is taken as it is."""

    name = "syntax"

    def __init__(self, limits: Limits) -> None:
        self._size = limits.message_size

    async def data(self, context: Context) -> Verdict:
        message = context.message
        if message is None:
            return ACCEPT
        if message.content.size > self._size:
            return _TOO_BIG
        return ACCEPT if message.whole_header else _HEADER_TOO_BIG
