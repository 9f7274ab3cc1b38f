"""What filters of others cost a message of 4 KiB: one of one's own in its process, and opendkim as
a milter. The other side has none of them, so that its figure is 0.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvloop

from config.clock import SystemClock
from config.settings import Settings
from filters.context import Context, Kind, Message, Peer, Recipient
from filters.filter import Filter
from filters.milter import Milters
from filters.own.filter import Own
from filters.own.own import OwnFilters
from net.threads import Offload
from storage.directory_values import Resolution, Status
from storage.values import Content
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.filter_daemons import opendkim

_COUNT = 2000
_FILTER = """
from filters.own.api import Context, Message, Verdict, symbol


def check(message: Message, context: Context) -> Verdict | None:
    return symbol("SEEN") if "never" in message.subject else None
"""
Ask = Callable[[Context], Awaitable[object]]


def _context() -> Context:
    data = message(4096, 1)
    context = Context(Kind.MX, Peer("192.0.2.1"), helo="mx.world.test", trace="m1")
    context.sender = "sender@world.test"
    context.rcpt = Recipient("user@bench.test", Resolution(Status.DELIVERABLE))
    context.recipients = [context.rcpt]
    header = data[: data.index(b"\r\n\r\n") + 2]
    context.message = Message(Content(len(data), b"", data=data), header)
    return context


async def _timed(ask: Ask) -> tuple[float, float]:
    """Microseconds a message: of the loop's thread, and until the answer."""
    context = _context()
    await ask(context)
    began, cpu = time.perf_counter(), time.thread_time()
    for _ in range(_COUNT):
        await ask(context)
    spent, waited = time.thread_time() - cpu, time.perf_counter() - began
    return spent / _COUNT * 1e6, waited / _COUNT * 1e6


def _settings(folder: Path, **values: object) -> Settings:
    base = {"hostname": "mx.bench.test", "data_dir": folder / "data"}
    return Settings.model_validate(base | values)


async def _own(folder: Path) -> tuple[float, float]:
    (folder / "one.py").write_text(_FILTER)
    settings, offload = _settings(folder, filters={"own": str(folder)}), Offload(processes=1)
    own = OwnFilters(settings, offload, SystemClock(), structlog.get_logger())
    try:
        await own.look()
        return await _timed(Own(own).data)
    finally:
        await own.stop()
        await asyncio.to_thread(offload.close)


async def _milter(folder: Path) -> tuple[float, float]:
    with opendkim(folder, "Mode v\nOn-Default accept\n", unix=True) as address:
        milter = {"name": "opendkim", "address": address, "on_error": "defer"}
        settings, offload = _settings(folder, milter=[milter]), Offload(processes=1)
        filter_ = Milters(settings, offload, SystemClock(), structlog.get_logger())
        try:
            return await _timed(lambda context: _transaction(filter_, context))
        finally:
            await asyncio.to_thread(offload.close)


async def _transaction(filter_: Filter, context: Context) -> None:
    """One message of a connection that brings many."""
    if "milter" not in context.kept:
        await filter_.connect(context)
        await filter_.helo(context)
    for ask in (filter_.mail, filter_.rcpt, filter_.data):
        assert not (await ask(context)).refused
    context.kept["milter"].reset()


def _figure(side: Side, work: Callable[[Path], Awaitable[tuple[float, float]]], at: int) -> float:
    if not side.ours:
        return 0.0

    async def run(folder: Path) -> float:
        return (await work(folder))[at]

    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(run(Path(folder)))


ROWS = [
    Row("own filter 4 KiB, loop", "us/msg", lambda s: _figure(s, _own, 0), limit=200),
    Row("own filter 4 KiB, to the answer", "us/msg", lambda s: _figure(s, _own, 1), limit=1000),
    Row("opendkim as milter 4 KiB, loop", "us/msg", lambda s: _figure(s, _milter, 0), limit=1000),
    Row(
        "opendkim as milter 4 KiB, to the answer",
        "us/msg",
        lambda s: _figure(s, _milter, 1),
        limit=5000,
    ),
]
