"""An AuthService that knows nobody, in a process of its own: `python -m tests.bench.hop_peer PATH`.

Says "ready" on stdout, serves until its stdin ends.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import uvloop

from auth.service import Visitor
from auth.service_contract import AUTH
from config.logging import silent_logger
from net.link import Link, Offer
from net.places import Place, listen
from net.sealed import seal

KEY: Final = b"k" * 32


class Nobody:
    """What is asked in the rows."""

    async def visitor(self, cookie: str) -> Visitor | None:
        return None


async def _serve(path: Path) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sealed = await seal(reader, writer, KEY, dialled=False)
        await Link(sealed, silent_logger(), offers={AUTH.name: Offer(AUTH, Nobody())}).run()

    server, _ = await listen(Place(path=path), accept)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1])))
