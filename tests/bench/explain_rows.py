"""What the record of a message costs: gathered in the loop beside a delivery, written behind it.

The other side keeps no such record, so that its figure is 0.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from config.clock import SystemClock
from filters.asked import Asked
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, Source
from filters.record import Recorder
from filters.verdict import ACCEPT, Scored, Verdict
from net.threads import Offload
from storage.directory_values import Resolution, Status, Target
from storage.explain import ExplainStore
from storage.history_database import HistoryDatabase
from storage.values import (
    AccountId,
    BlobId,
    Content,
    Delivered,
    Delivery,
    DeliveryResult,
    LocalRecipient,
    MailboxId,
)
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side

_COUNT = 5000
_FILTERS = ("ratelimit", "blocklist", "spf", "dkim", "dmarc", "arc", "virus", "tagging")
_STAGES = ("connect", "mail", "rcpt", "data")
_TO = "user@bench.test"
_OK = (250, "2.0.0", "Ok")


async def _recorded(folder: Path) -> tuple[float, float]:
    """Microseconds a message: of the loop to gather it, of the process to write it."""
    clock, offload = SystemClock(), Offload(processes=1)
    history = await HistoryDatabase.open("sqlite", folder, offload)
    store = ExplainStore(history, clock, offload, keep=86_400.0, size=1 << 30)
    recorder = Recorder(clock, store)
    try:
        messages = [_message(number) for number in range(_COUNT)]
        gc.collect()
        gc.freeze()
        began = time.thread_time()
        for envelope, whole, stored in messages:
            recorder.message(envelope, whole, ACCEPT, _OK, stored)
        gathered = time.thread_time() - began
        began = time.process_time()
        await store.flush()
        written = time.process_time() - began
        gc.unfreeze()
        assert len(await store.of_trace(_trace(_COUNT - 1))) == 1
    finally:
        await store.close()
        await history.close()
        await asyncio.to_thread(offload.close)
    return gathered / _COUNT * 1e6, written / _COUNT * 1e6


def _message(number: int) -> tuple[Envelope, Message, list[tuple[Delivery, DeliveryResult]]]:
    """What pipeline and delivery leave of one message with eight filters, most of them quiet."""
    asked = [_stage(stage) for stage in _STAGES]
    body = message(4096, number)
    header = body[: body.index(b"\r\n\r\n") + 2]
    found = Resolution(Status.DELIVERABLE, (Target(AccountId(1), _TO),))
    envelope = Envelope(
        Kind.MX,
        "sender@world.test",
        (Recipient(_TO, found),),
        _trace(number),
        1.8e9,
        Source("mx.world.test", "192.0.2.1", "mx.world.test", "ESMTPS", "TLSv1.3", 40_000),
        asked=tuple(asked),
        connection="1" * 16,
    )
    job = Delivery(
        Content(len(body), b""),
        envelope.sender,
        1.8e9,
        envelope.trace,
        (LocalRecipient(AccountId(1), _TO),),
    )
    done = Delivered(AccountId(1), MailboxId(1), number + 1, BlobId(number + 1), number + 1)
    whole = Message(Content(len(body), b"", data=body), header)
    return envelope, whole, [(job, DeliveryResult((done,), None))]


def _trace(number: int) -> str:
    return f"{1 << 50 | number:x}000"


def _stage(stage: str) -> Sequence[Asked]:
    told = Verdict(scored=(Scored("R_SPF_ALLOW", -0.2, "world.test"),), symbols=("R_SPF_ALLOW",))
    return [
        Asked(name, stage, told if name == "spf" else ACCEPT, 0.0001)
        for name in (_FILTERS if stage == "data" else _FILTERS[:3])
    ]


def _figure(index: int, side: Side) -> float:
    if not side.ours:
        return 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(_recorded(Path(folder)))[index]


def gathering(side: Side) -> float:
    """Microseconds of the loop."""
    return _figure(0, side)


def writing(side: Side) -> float:
    """Microseconds of all threads."""
    return _figure(1, side)


ROWS = [
    Row("explain: a record gathered, loop", "us/msg", gathering, limit=30),
    Row("explain: a record written, all threads", "us/msg", writing, limit=100),
]
