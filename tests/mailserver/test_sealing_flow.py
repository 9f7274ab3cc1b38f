"""A chain goes on through an alias to another server: untouched while DNS lacks our key, then with
one more set.
"""

import asyncio
import smtplib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from message.arc_seal import seal
from message.dkim_header import Header
from message.dkim_sign import sign
from message.dkim_signing_key import Algorithm
from message.dkim_tags import Status, parse_tags
from message.headers import header_block
from tests.support.dkim_messages import chain, checked, key, records
from tests.support.dkim_peer import peer_chain
from tests.support.dns_server import DnsServer, dns_server
from tests.support.server import ServerProcess, serving
from tests.support.smtp_sink import Sink

ALIAS, OUTSIDE = "away@example.test", "bob@world.test"
FRIEND = key(Algorithm.RSA, "k", "friend.test")
HEADER = b"From: a@friend.test\r\nSubject: x\r\nMessage-ID: <%d@friend.test>\r\n"


def publish(dns: DnsServer, name: str, text: str) -> None:
    strings = (f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
    dns.set(name, "TXT", " ".join(strings))


@pytest.fixture
async def dns() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        publish(running, FRIEND.name, FRIEND.record)
        yield running


@pytest.fixture
async def server(tmp_path: Path, sink: Sink, dns: DnsServer) -> AsyncIterator[ServerProcess]:
    extra = f'{sink.as_smarthost}[dns]\nnameservers = ["{dns.endpoint}"]\n'
    async with serving(tmp_path, extra, aliases={ALIAS: OUTSIDE}) as running:
        yield running


def receive(server: ServerProcess, message: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20) as client:
        client.sendmail("a@friend.test", [ALIAS], message)


def published(server: ServerProcess) -> dict[str, list[bytes]]:
    """The records of our keys, made when they are first asked for."""
    rows = server.json("domain", "dns", "example.test")
    return {row["name"]: [row["value"].encode()] for row in rows if "; p=" in row["value"]}


async def test_a_chain_is_gone_on_with(server: ServerProcess, sink: Sink, dns: DnsServer) -> None:
    small, large = b"a line of text\r\n", b"a line of text\r\n" * 120_000
    await send(server, 1, small)
    await sink.wait(1)
    ours = await asyncio.to_thread(published, server)
    for name, (text,) in ours.items():
        publish(dns, name, text.decode())
    await send(server, 2, small)
    await send(server, 3, large)
    await sink.wait(3)
    zone = {**ours, **records(FRIEND)}
    for message in (one.data for one in sink.received):
        assert chain(message, zone) == (Status.PASS, "")
        assert peer_chain(message, zone) == "pass"
        assert checked(message, zone) == [(Status.PASS, "")]
    before, *after = (Header(header_block(one.data)) for one in sink.received)
    assert instances(before) == [1]
    for header in after:
        assert instances(header) == [2, 1]
        assert b"d=example.test" in header.value(header.places(b"arc-seal")[0])
        claims = header.value(header.places(b"arc-authentication-results")[0])
        result = header.value(header.places(b"authentication-results")[0])
        for said in (claims, result):
            assert b"mx.example.test" in said
            assert b"dkim=pass" in said
            assert b"arc=pass" in said


def instances(header: Header) -> list[int]:
    return [int(parse_tags(header.value(place))[b"i"]) for place in header.places(b"arc-seal")]


async def send(server: ServerProcess, number: int, body: bytes) -> None:
    """To the alias, signed and sealed by its sender."""
    header, now = HEADER % number, int(time.time())
    header = b"".join(sign(header, [body], [FRIEND], now)) + header
    claims = b"friend.test; auth=pass smtp.auth=a@friend.test"
    header = b"".join(seal(header, [body], claims, Status.NONE, FRIEND, now)) + header
    await asyncio.to_thread(receive, server, header + b"\r\n" + body)
