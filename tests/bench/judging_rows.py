"""What judging a message costs: all filters of the default pipeline, on real-looking mail.

Everything is counted that a processor does for it, in the loop and in workers: calls that go to
threads and processes are made at once. DNS is a server in another thread, its answers are known.
"""

import asyncio
import random
import time
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from typing import Any

import structlog
import uvloop

from config.clock import SystemClock
from config.sections_filters import DEFAULT_PIPELINE
from config.settings import Settings
from filters.context import Context, Kind, Message, Peer, Recipient
from filters.filter import Stage
from filters.pipeline import Pipeline
from filters.registry import Tools
from message.dkim_signing_key import Algorithm, SigningKey, generate, load_signing_key
from net.dns import Resolver
from net.threads import Offload
from storage.directory_values import Resolution, Status
from storage.values import Content
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.dkim_messages import signed
from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread

_ROUNDS = {4096: 200, 65536: 30}
_DOMAIN, _ADDRESS = "sender.test", "192.0.2.7"


class _AtOnce(Offload):
    """Does here what others do elsewhere, so that it is counted."""

    async def run(self, pool: Any, call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    async def apart(self, call: Any, argument: Any) -> Any:
        return call(argument)


class _Nobody:
    """A directory that knows nobody."""

    seen: "_Nobody"

    def __init__(self) -> None:
        self.seen = self

    async def get(self, *_: object) -> None:
        return None

    def serves(self, _: str) -> bool:
        return False


@cache
def mail(size: int) -> bytes:
    """Text and HTML with links, about `size` octets, signed."""
    chooser = random.Random(size)
    words = [
        "".join(chooser.choices("abcdefghilmnoprstu", k=chooser.randint(2, 9))) for _ in range(3000)
    ]
    plain, html, length = [], [], 1200
    while length < size:
        line = " ".join(chooser.choices(words, k=12))
        host = f"www.{chooser.choice(words[:40])}.test"
        plain.append(line)
        html.append(
            f'<p style="color:#333">{line} <a href="https://{host}/{length}">{host}</a></p>'
        )
        length += len(plain[-1]) + len(html[-1]) + 4
    body = (
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + "\r\n".join(plain)
        + "\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>"
        + "\r\n".join(html) + "</body></html>\r\n--b--\r\n"
    )  # fmt: skip
    header = (
        f"From: Ann Lee <ann@{_DOMAIN}>\r\nTo: ben@home.test\r\nSubject: The minutes\r\n"
        f"Message-ID: <1@{_DOMAIN}>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n'
    )
    return signed(header.encode(), body.encode(), _key())


@cache
def _key() -> SigningKey:
    return load_signing_key(generate(Algorithm.RSA), _DOMAIN, "bench")


def _publish(server: DnsServer) -> None:
    server.negative_ttl = 600
    texts = {
        _DOMAIN: "v=spf1 ip4:192.0.2.0/24 -all",
        f"_dmarc.{_DOMAIN}": "v=DMARC1; p=reject",
        _key().name: _key().record,
    }
    for name, text in texts.items():
        pieces = (f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
        server.set(name, "TXT", " ".join(pieces), ttl=600)
    server.set(_DOMAIN, "MX", f"10 mx.{_DOMAIN}.", ttl=600)


async def _judge(pipeline: Pipeline, data: bytes) -> None:
    context = Context(Kind.MX, Peer(_ADDRESS), helo=f"mx.{_DOMAIN}", extended=True)
    context.sender = f"ann@{_DOMAIN}"
    context.recipients = [Recipient("ben@home.test", Resolution(Status.DELIVERABLE))]
    await pipeline.run(Stage.MAIL, context)
    digest = blake2b(data, digest_size=16).digest()
    header = data.partition(b"\r\n\r\n")[0] + b"\r\n"
    context.message = Message(Content(len(data), digest, data=data), header)
    verdict = await pipeline.run(Stage.DATA, context)
    assert "DMARC_POLICY_ALLOW" in verdict.symbols and context.spam is not None, verdict


async def _measure(server: DnsServer, size: int) -> float:
    """Seconds of a processor a message."""
    _publish(server)
    names = [name for name in DEFAULT_PIPELINE if name not in ("blocklist", "ratelimit")]
    settings = Settings.model_validate(
        {"hostname": "mx.bench.test", "filters": {"pipeline": names, "local_networks": []}}
    )
    offload, data = _AtOnce(), mail(size)
    nobody: Any = _Nobody()
    resolver = Resolver([server.endpoint])
    tools = Tools(SystemClock(), resolver, offload, nobody, nobody)
    pipeline = Pipeline(settings, tools, structlog.get_logger())
    try:
        for _ in range(5):
            await _judge(pipeline, data)
        began = time.thread_time()
        for _ in range(_ROUNDS[size]):
            await _judge(pipeline, data)
        spent = time.thread_time() - began
    finally:
        await asyncio.to_thread(offload.close)
    return spent / _ROUNDS[size]


def judging(size: int) -> Callable[[Side], float]:
    """Milliseconds of a processor a message; the other side has no figure of this kind."""

    def run(side: Side) -> float:
        if not side.ours:
            return 0.0
        with dns_in_thread() as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            return loop.run(_measure(server, size)) * 1000

    return run


ROWS = [
    Row("all filters, processor time of 4 KiB", "ms", judging(4096), limit=3),
    Row("all filters, processor time of 64 KiB", "ms", judging(65536), limit=15),
]
