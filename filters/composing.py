"""A composed message on its way into the store: its streams are read and encoded while it goes to
the spool, so that none is held in memory and none holds the loop up.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from message.compose import Composed, Stream
from message.transfer import Base64Lines
from net.threads import Offload, Pool
from storage.spool import Spool

_QUICK = 16 * 1024


async def spool_composed(
    composed: Composed,
    octets: Callable[[Any], AsyncGenerator[bytes, None]],
    spool: Spool,
    offload: Offload,
) -> None:
    """Adds the message to `spool`; `octets` gives those of a Stream by its key. Raises what it
    raises, OSError, Busy.
    """
    for piece in composed.pieces:
        if not isinstance(piece, Stream):
            for start in range(0, len(piece), 256 * 1024):
                await spool.add(piece[start : start + 256 * 1024])
            continue
        lines = Base64Lines()
        async with aclosing(octets(piece.key)) as source:
            async for some in source:
                if piece.encoding != "base64":
                    await spool.add(some)
                    continue
                if len(some) <= _QUICK:
                    made = lines.feed(some)
                else:
                    made = await offload.run(Pool.MIME, lines.feed, some)
                if made:
                    await spool.add(made)
        if rest := lines.end():
            await spool.add(rest)
