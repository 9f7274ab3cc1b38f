"""rspamd as an outside scorer: what is made of its answers, and of servers that are none.

The real one: tests/interop/test_interop_rspamd.py.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from filters.context import Context, Kind, Message, Peer, Recipient
from filters.spam.rspamd import ANSWER_LIMIT, Outside, Rspamd
from filters.verdict import ACCEPT, Action, Scored
from net.threads import Offload
from storage.directory_values import Resolution, Status
from storage.values import Content
from tests.support.directories import MovedClock, make_settings

DATA = b"Subject: x\r\n\r\ntext\r\n"
ANSWER = {
    "score": 9.5,
    "action": "add header",
    "symbols": {
        "SOMETHING_ODD": {"score": 7.5, "options": ["a", "b"]},
        "MISSING_DATE": {"score": 1.0},
        "GOOD": {"score": -1.0},
    },
}


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


class Server:
    """A server that answers everything with the same octets; None hangs."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer, self.requests = answer, list[bytes]()
        self.writers: list[asyncio.StreamWriter] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].split()[0])
            self.requests.append(head + await reader.readexactly(size))
            if self.answer is not None:
                writer.write(self.answer)
                await writer.drain()
                writer.close()


@asynccontextmanager
async def asking(
    folder: Path, answer: bytes | None, **keys: Any
) -> AsyncIterator[tuple[Rspamd, Server, MovedClock]]:
    peer, clock, offload = Server(answer), MovedClock(), Offload()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    chosen = make_settings(folder, spam={"rspamd": {"url": peer.url, **keys}})
    log = structlog.get_logger()
    try:
        yield Rspamd(chosen.spam.rspamd, chosen.hostname, offload, clock, log), peer, clock
    finally:
        server.close()
        for writer in peer.writers:
            writer.close()
        await server.wait_closed()
        offload.close()


def context(content: Content | None = None) -> Context:
    made = Context(Kind.MX, Peer("192.0.2.7", reverse="mx.b.test"), trace="m1", helo="evil\r\nX: y")
    made.sender = "a@b.test"
    made.recipients = [
        Recipient(f"{name}@example.test", Resolution(Status.DELIVERABLE)) for name in ("c", "d")
    ]
    made.message = Message(content or Content(len(DATA), b"", data=DATA), DATA[:12])
    return made


async def test_symbols_come_with_their_weights_and_none_counts_twice(tmp_path: Path) -> None:
    async with asking(tmp_path, http(json.dumps(ANSWER).encode())) as (rspamd, peer, _):
        found = await rspamd.check(context())
    assert found == Outside(
        (
            Scored("RSPAMD_SCORE", 0.0, "9.5 points, add header"),
            Scored("RSPAMD_SOMETHING_ODD", 7.5, "a, b"),
            Scored("RSPAMD_MISSING_DATE", 0.0),
            Scored("RSPAMD_GOOD", -1.0),
        )
    )
    (request,) = peer.requests
    assert request.startswith(b"POST /checkv2 HTTP/1.1\r\n") and request.endswith(
        b"\r\n\r\n" + DATA
    )
    for line in (b"IP: 192.0.2.7", b"Helo: evil  X: y", b"From: a@b.test", b"Queue-Id: m1"):
        assert b"\r\n" + line + b"\r\n" in request
    assert b"Rcpt: c@example.test\r\nRcpt: d@example.test\r\n" in request


async def test_a_spooled_message_is_sent_from_its_file(tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(b"old header" + b"x" * 700_000)
    content = Content(700_004, b"", prefix=b"new:", path=spooled, start=10)
    async with asking(tmp_path, http(json.dumps(ANSWER).encode())) as (rspamd, peer, _):
        assert len((await rspamd.check(context(content))).scored) == 4
    assert peer.requests[0].endswith(b"\r\n\r\nnew:" + b"x" * 700_000)


@pytest.mark.parametrize(
    ("keys", "scored"),
    [
        ({"use": "score", "weight": 0.5}, [("RSPAMD_SCORE", 4.75)]),
        ({"use": "record"}, [("RSPAMD_SCORE", 0.0), ("RSPAMD_SOMETHING_ODD", 0.0)]),
        ({"weight": 2.0}, [("RSPAMD_SCORE", 0.0), ("RSPAMD_SOMETHING_ODD", 15.0)]),
    ],
)
async def test_how_much_it_counts(
    tmp_path: Path, keys: dict[str, Any], scored: list[tuple[str, float]]
) -> None:
    async with asking(tmp_path, http(json.dumps(ANSWER).encode()), **keys) as (rspamd, _, _):
        found = await rspamd.check(context())
    assert [(one.name, one.weight) for one in found.scored[:2]] == scored
    assert found.verdict is ACCEPT


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("no action", Action.ACCEPT),
        ("rewrite subject", Action.JUNK),
        ("add header", Action.JUNK),
        ("quarantine", Action.QUARANTINE),
        ("greylist", Action.DEFER),
        ("soft reject", Action.DEFER),
        ("reject", Action.REJECT),
        ("something else", Action.ACCEPT),
    ],
)
async def test_its_action_is_followed_where_asked_for(
    tmp_path: Path, action: str, wanted: Action
) -> None:
    body = json.dumps({**ANSWER, "action": action}).encode()
    async with asking(tmp_path, http(body), follow=True) as (rspamd, _, _):
        verdict = (await rspamd.check(context())).verdict
    assert verdict.action is wanted and bool(verdict.code) is verdict.refused


LIARS: dict[str, tuple[bytes | None, str]] = {
    "hangs": (None, "no answer within 0.5 s"),
    "dies": (b"", "cut short"),
    "dies in its head": (b"HTTP/1.1 200 OK\r\nContent-", "cut short"),
    "dies in its body": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", "cut short"),
    "hangs in its body": (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", "cut short"),
    "is no HTTP": (b"220 mx ESMTP ready\r\n\r\n", "the answer is no HTTP"),
    "an endless head": (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000, "the answer is no HTTP"),
    "too much": (
        f"HTTP/1.1 200 OK\r\nContent-Length: {ANSWER_LIMIT + 1}\r\n\r\n".encode(),
        "more than",
    ),
    "too much without a length": (
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (ANSWER_LIMIT + 1),
        "more than",
    ),
    "two lengths": (http(b"{}", more="Content-Length: 3\r\n"), "encoding that was not asked for"),
    "chunks": (http(b"{}", more="Transfer-Encoding: chunked\r\n"), "not asked for"),
    "an error": (http(b'{"error":"x"}'), "its answer is an error"),
    "a status": (http(b"", "503 no"), "status 503"),
    "no JSON": (http(b"<html>"), "no JSON"),
    "another JSON": (http(b"[1]"), "its answer is an error"),
    "no score": (http(b'{"symbols":{}}'), "no number"),
    "a score as text": (http(b'{"score":"15","symbols":{}}'), "no number"),
    "an endless score": (http(b'{"score":1e300,"symbols":{}}'), "beyond 10,000"),
    "no symbols": (http(b'{"score":1}'), "without symbols"),
    "odd symbols": (http(b'{"score":1,"symbols":{"A":7}}'), "something else than symbols"),
    "deep JSON": (http(b'{"score":' + b"[" * 100_000), "no JSON"),
}


@pytest.mark.parametrize(("answer", "reason"), LIARS.values(), ids=LIARS)
async def test_one_that_fails_counts_nothing_and_rests(
    tmp_path: Path, answer: bytes | None, reason: str
) -> None:
    async with asking(tmp_path, answer, timeout="500ms", follow=True) as (rspamd, peer, clock):
        with capture_logs() as logs:
            found = await rspamd.check(context())
        (scored,) = found.scored
        assert (scored.name, scored.weight) == ("RSPAMD_FAIL", 0.0)
        assert reason in scored.detail == logs[0]["reason"], scored.detail
        assert found.verdict is ACCEPT
        asked = len(peer.requests)
        assert (await rspamd.check(context())).scored[0].detail == "it failed a moment ago"
        assert len(peer.requests) == asked
        clock.seconds += 11
        peer.answer = http(json.dumps(ANSWER).encode())
        assert len((await rspamd.check(context())).scored) == 4


async def test_one_that_is_not_there(tmp_path: Path) -> None:
    async with asking(tmp_path, None, url=f"unix:{tmp_path}/none") as (rspamd, _, _):
        (scored,) = (await rspamd.check(context())).scored
    assert scored == Scored("RSPAMD_FAIL", 0.0, "No such file or directory")
