"""What it costs the loop to find out who a message is from: SPF, DKIM, DMARC and ARC.

The filters work as in the server, on messages of 4 KiB with an RSA signature each, with a DNS
server on loopback in another thread. The other side is authheaders (dkimpy; no SPF), whose answers
from DNS cost nothing.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import authheaders
import structlog
import uvloop

from config.clock import SystemClock
from config.settings import Settings
from filters.context import Context, Kind, Message, Peer
from filters.filter import Stage
from filters.pipeline import Pipeline
from filters.registry import Tools
from message.dkim_signing_key import Algorithm, SigningKey, generate, load_signing_key
from net.dns import Resolver
from net.threads import Offload
from storage.values import Content
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.dkim_messages import signed
from tests.support.dns_server import DnsServer
from tests.support.dns_thread import dns_in_thread

_DOMAINS, _THEIRS = 400, 50
_STAGE = ["spf", "dkim", "dmarc", "arc"]
_ADDRESS = "192.0.2.7"


@dataclass(frozen=True, slots=True)
class _Mail:
    domain: str
    key: SigningKey
    data: bytes


@cache
def _mail() -> list[_Mail]:
    """One message a domain; they share a key, each domain has records of its own."""
    pem = generate(Algorithm.RSA)
    made = []
    for number in range(_DOMAINS):
        domain = f"d{number}.test"
        key = load_signing_key(pem, domain, "bench")
        plain = message(4096, number).replace(b"world.test", domain.encode())
        header, _, body = plain.partition(b"\r\n\r\n")
        made.append(_Mail(domain, key, signed(header + b"\r\n", body, key)))
    return made


def _records(one: _Mail) -> dict[str, str]:
    return {
        one.domain: "v=spf1 ip4:192.0.2.0/24 -all",
        f"_dmarc.{one.domain}": "v=DMARC1; p=reject",
        one.key.name: one.key.record,
    }


def _publish(server: DnsServer) -> None:
    server.negative_ttl = 600
    for one in _mail():
        for name, text in _records(one).items():
            pieces = (f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
            server.set(name, "TXT", " ".join(pieces), ttl=600)


async def _judge(pipeline: Pipeline, one: _Mail) -> None:
    context = Context(Kind.MX, Peer(_ADDRESS), helo=f"mx.{one.domain}", extended=True)
    context.sender = f"sender@{one.domain}"
    await pipeline.run(Stage.MAIL, context)
    header = one.data.partition(b"\r\n\r\n")[0] + b"\r\n"
    digest = blake2b(one.data, digest_size=16).digest()
    context.message = Message(Content(len(one.data), digest, data=one.data), header)
    verdict = await pipeline.run(Stage.DATA, context)
    assert "DMARC_POLICY_ALLOW" in verdict.symbols, verdict


async def _ours(server: DnsServer, rounds: int) -> float:
    """Seconds of the loop's thread a message, in the last of the rounds."""
    _publish(server)
    settings = Settings.model_validate(
        {"hostname": "mx.bench.test", "filters": {"pipeline": _STAGE, "local_networks": []}}
    )
    offload = Offload()
    unused: Any = None  # these filters use neither directory nor store
    tools = Tools(SystemClock(), Resolver([server.endpoint]), offload, unused, unused)
    pipeline = Pipeline(settings, tools, structlog.get_logger())
    try:
        for _ in range(rounds):
            began = time.thread_time()
            for one in _mail():
                await _judge(pipeline, one)
            spent = time.thread_time() - began
    finally:
        await asyncio.to_thread(offload.close)
    return spent / len(_mail())


def _theirs() -> float:
    texts = {name: text for one in _mail() for name, text in _records(one).items()}

    def answer(name: bytes | str, **_: object) -> bytes | None:
        asked = name.decode() if isinstance(name, bytes) else name
        found = texts.get(asked.rstrip("."))
        return found.encode() if found else None

    began = time.process_time()
    for one in _mail()[:_THEIRS]:
        told = authheaders.authenticate_message(
            one.data, "mx.bench.test", arc=True, dmarc=False, dnsfunc=answer
        )
        assert "dkim=pass" in told
    return (time.process_time() - began) / _THEIRS


def authenticate(rounds: int) -> Callable[[Side], float]:
    """Milliseconds a message; with one round every domain is new, with two all are in the cache."""

    def run(side: Side) -> float:
        if not side.ours:
            return _theirs() * 1000
        with dns_in_thread() as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            return loop.run(_ours(server, rounds)) * 1000

    return run


ROWS = [
    Row("authentication, loop time a message", "ms", authenticate(2), limit=1),
    Row("authentication, every domain new", "ms", authenticate(1), limit=1),
]
