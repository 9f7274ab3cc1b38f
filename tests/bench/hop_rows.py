"""What it costs the gateway to ask a service: an object of this process, or another process over a
sealed Unix socket; ours alone.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from auth.service_contract import AUTH
from config.logging import silent_logger
from net.link import Link
from net.places import Place, dial
from net.sealed import seal
from tests.bench.hop_peer import KEY, Nobody
from tests.bench.rows import Row
from tests.bench.sides import Side

LOCAL, REMOTE, AT_ONCE = 200_000, 5_000, 32
Ask = Callable[[], Awaitable[object]]


def _microseconds(begin: float, calls: int) -> float:
    return (time.perf_counter() - begin) / calls * 1e6


def local(side: Side) -> float:
    """Microseconds a call."""
    if not side.ours:
        return 0.0

    async def run() -> float:
        service, begin = Nobody(), time.perf_counter()
        for _ in range(LOCAL):
            await service.visitor("x" * 43)
        return _microseconds(begin, LOCAL)

    return uvloop.run(run())


def one_at_a_time(side: Side) -> float:
    """Microseconds a call."""

    async def run(ask: Ask) -> float:
        begin = time.perf_counter()
        for _ in range(REMOTE):
            await ask()
        return _microseconds(begin, REMOTE)

    return _over_a_link(run) if side.ours else 0.0


def many_at_once(side: Side) -> float:
    """Calls a second."""

    async def run(ask: Ask) -> float:
        async def some() -> None:
            for _ in range(REMOTE // AT_ONCE):
                await ask()

        begin = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        return REMOTE / (time.perf_counter() - begin)

    return _over_a_link(run) if side.ours else 0.0


def _over_a_link(run: Callable[[Ask], Awaitable[float]]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peer.sock"
        command = [sys.executable, "-m", "tests.bench.hop_peer", str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
            assert peer.stdout is not None
            assert peer.stdout.readline() == b"ready\n"
            return uvloop.run(_linked(path, run))


async def _linked(path: Path, run: Callable[[Ask], Awaitable[float]]) -> float:
    link = Link(await seal(*await dial(Place(path=path)), KEY, dialled=True), silent_logger())
    running = asyncio.create_task(link.run())
    try:
        return await run(lambda: link.call(AUTH, "visitor", ("x" * 43,), {}))
    finally:
        link.close()
        await running


ROWS = [
    Row("hop to a local service", "us", local, limit=5),
    Row("hop to a service in another process", "us", one_at_a_time, limit=1000),
    Row("hop to a service in another process, 32 at once", "calls/s", many_at_once, least=2000),
]
