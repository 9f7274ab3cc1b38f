"""What is submitted stands in Sent once, with Bcc, whoever saves it first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.whole import Whole, body_of, uids, whole
from tests.system.test_smuggling_out import submitting

OUTSIDER = "x@far.test"
# a closed port: what is for the outside world stays in the queue
EXTRA = '[outbound]\nsmarthost = "smtp://127.0.0.1:9"\n[submission]\nsave_sent = true\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Whole]:
    with whole(tmp_path, EXTRA) as running:
        yield running


def letter(account: str, number: int, size: int = 10) -> bytes:
    return (
        f"From: <{account}>\r\nTo: <{OUTSIDER}>\r\nBcc: <hidden@far.test>\r\n"
        f"Message-ID: <{number}@client.test>\r\nSubject: {number}\r\n\r\n"
        f"{'text ' * (size // 5)}\r\n"
    ).encode()


async def submit(server: Whole, account: str, text: bytes, expect: str = "250") -> None:
    async with submitting(server, account) as client:
        for line in (f"MAIL FROM:<{account}>", f"RCPT TO:<{OUTSIDER}>", "DATA"):
            assert (await client.say(line))[:1] in "23"
        assert (await client.say(text + b"."))[:3] == expect


async def append(server: Whole, account: str, text: bytes) -> None:
    async with server.imap(account) as client:
        await client.send(b"a APPEND Sent (\\Seen $own) {%d+}\r\n" % len(text) + text + b"\r\n")
        while not (line := await client.line()).startswith(b"a "):
            pass
        assert b"OK [APPENDUID" in line, line


async def sent(server: Whole, account: str) -> list[tuple[bytes, bytes]]:
    """Flags and octets of what stands in Sent."""
    found = []
    async with server.imap(account, "Sent") as client:
        for uid in await uids(client):
            (flags,) = await client.ok(f"UID FETCH {uid} (FLAGS)")
            found.append((flags, await body_of(client, uid)))
    return found


async def test_once_whoever_comes_first(server: Whole) -> None:
    account = await server.account()
    for number, size in ((1, 10), (2, 2_000_000)):
        text = letter(account, number, size)
        await submit(server, account, text)
        saved = await sent(server, account)
        assert len(saved) == number
        flags, octets = saved[-1]
        assert b"\\Seen" in flags and octets.endswith(text) and b"\r\nBcc: <hidden" in octets
        assert b"DKIM-Signature" not in octets and octets.startswith(b"Date: ")

    await append(server, account, letter(account, 1))
    saved = await sent(server, account)
    assert len(saved) == 2 and saved[-1][1] == letter(account, 1)
    assert b"$own" in saved[-1][0]

    await append(server, account, letter(account, 3))
    await submit(server, account, letter(account, 3))
    assert len(await sent(server, account)) == 3

    await submit(server, account, b"From: <ceo@bank.test>\r\n\r\ntext\r\n", "550")
    assert len(await sent(server, account)) == 3
    left = [path.name for path in (server.process.data / "tmp").iterdir()]
    assert not [name for name in left if name.startswith("sent-")]

    await server.control(
        "account.set", address=account, submission={"save_sent": False}, imap_mask=None
    )
    await submit(server, account, letter(account, 4))
    assert len(await sent(server, account)) == 3
