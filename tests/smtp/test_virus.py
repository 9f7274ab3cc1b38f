"""Viruses through the server's own sockets, found by a real clamd: refused, kept, or put off."""

import asyncio
import json
from base64 import encodebytes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from net.clamd_pool import ClamdPool
from storage.values import Delivery
from tests.support import false_clamd as false
from tests.support.clamd import EICAR, NAME, Clamd, running_clamd
from tests.support.false_clamd import VERSION, FalseClamd, Stream, false_clamd
from tests.support.smtp_receiving import ADA, BEN, Client, Receiving, receiving, without_id
from tests.support.smtp_stage import plain

REFUSED = f"550 5.7.1 Message contains a virus: {NAME}"
LATER = "451 4.7.1 Virus scanner not available, try again later"
Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with running_clamd(version=27000) as running:
        yield running


def virus(*addresses: str, **more: Any) -> dict[str, Any]:
    return {"virus": {"clamd": list(addresses), **more}}


def attached(octets: bytes) -> bytes:
    """A message of two parts, the second in base64."""
    coded = encodebytes(octets).replace(b"\n", b"\r\n")
    return (
        b"Subject: two parts\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nlook\r\n"
        b'--b\r\nContent-Type: application/octet-stream; name="a.bin"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + coded + b"--b--\r\n"
    )


INFECTED, CLEAN = attached(EICAR), attached(b"harmless")


async def send(client: Client, data: bytes) -> str:
    """The answer to the end of the data, in a transaction of its own."""
    for line in ("MAIL FROM:<friend@elsewhere.test>", f"RCPT TO:<{ADA}>", "DATA"):
        assert (await client.say(line))[0] in "23"
    return await client.say(data + b".")


async def answer(running: Receiving, data: bytes, listener: str = "smtp") -> str:
    client = await running.client(listener)
    await client.greet("LHLO" if listener == "lmtp" else "EHLO")
    return await send(client, data)


def symbols(capsys: Capsys) -> list[str]:
    """Those of the message accepted last."""
    lines = [json.loads(one) for one in capsys.readouterr().out.splitlines() if one[:1] == "{"]
    return list([one for one in lines if one["event"] == "accepted"][-1]["symbols"])


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_infected_mail_is_refused_and_other_mail_is_not(
    tmp_path: Path, clamd: Clamd, kind: str
) -> None:
    async with receiving(tmp_path, **virus(getattr(clamd, kind))) as running:
        assert without_id(await answer(running, INFECTED)) == REFUSED
        assert (await answer(running, CLEAN))[:3] == "250"
        assert running.body.endswith(CLEAN)


async def test_one_address_may_stand_without_a_list(tmp_path: Path, clamd: Clamd) -> None:
    async with receiving(tmp_path, virus={"clamd": clamd.unix}) as running:
        assert without_id(await answer(running, INFECTED)) == REFUSED


async def test_mail_of_users_and_lmtp_are_scanned(tmp_path: Path, clamd: Clamd) -> None:
    async with receiving(tmp_path, **virus(clamd.unix)) as running:
        assert without_id(await answer(running, INFECTED, "lmtp")) == REFUSED
        user = await running.client("submissions")
        await user.greet()
        assert (await user.say(f"AUTH PLAIN {plain(BEN)}"))[:3] == "235"
        for line in (f"MAIL FROM:<{BEN}>", "RCPT TO:<friend@far.test>", "DATA"):
            assert (await user.say(line))[0] in "23"
        assert (
            without_id(await user.say(b"From: " + BEN.encode() + b"\r\n" + INFECTED + b"."))
            == REFUSED
        )
        assert running.store.delivered == []


async def test_a_message_on_disk_is_scanned_whole(tmp_path: Path, clamd: Clamd) -> None:
    """Above a megabyte it is spooled; the virus stands at its end."""
    large = b"Subject: x\r\n\r\n" + b"x" * 76 * 1024 + b"\r\n"
    lines = b"".join(b"y" * 70 + b"\r\n" for _ in range(40_000))
    async with receiving(tmp_path, **virus(clamd.unix)) as running:
        assert without_id(await answer(running, large + lines + EICAR + b"\r\n")) == REFUSED
        assert (await answer(running, large + lines))[:3] == "250"
        assert list(running.store.spool_dir.iterdir()) == []


async def test_by_bdat_too(tmp_path: Path, clamd: Clamd) -> None:
    async with receiving(tmp_path, **virus(clamd.unix)) as running:
        client = await running.client()
        await client.greet()
        for line in ("MAIL FROM:<friend@elsewhere.test>", f"RCPT TO:<{ADA}>"):
            assert (await client.say(line))[:3] == "250"
        client.write(b"BDAT %d LAST\r\n" % len(INFECTED) + INFECTED)
        assert without_id(await client.reply()) == REFUSED


async def test_marked_signatures_are_told_of_and_delivered(
    tmp_path: Path, clamd: Clamd, capsys: Capsys
) -> None:
    async with receiving(tmp_path, **virus(clamd.unix, mark=["PUA.*", "Test.*"])) as running:
        assert (await answer(running, INFECTED))[:3] == "250"
        assert "CLAM_VIRUS" in symbols(capsys)


async def test_without_clamd_nothing_is_asked(tmp_path: Path, capsys: Capsys) -> None:
    async with receiving(tmp_path, **virus()) as running:
        assert (await answer(running, INFECTED))[:3] == "250"
        assert "CLAM_VIRUS" not in symbols(capsys)


@pytest.mark.parametrize(("on_error", "expected"), [("defer", LATER), ("accept", "250")])
async def test_clamd_away(tmp_path: Path, capsys: Capsys, on_error: str, expected: str) -> None:
    with running_clamd() as clamd:
        async with receiving(tmp_path, **virus(clamd.unix, on_error=on_error)) as running:
            assert (await answer(running, CLEAN))[:3] == "250"
            await asyncio.to_thread(clamd.stop)
            told = await answer(running, CLEAN)
            if expected == "250":
                assert told[:3] == "250"
                assert "CLAM_VIRUS_FAIL" in symbols(capsys)
            else:
                assert without_id(told) == expected
                assert len(running.store.delivered) == 1
            await asyncio.to_thread(clamd.start)
            async with asyncio.timeout(20):
                while running.scanner.pool.problems[clamd.unix]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert without_id(await answer(running, INFECTED)) == REFUSED


async def test_one_of_two_is_killed_while_mail_comes(tmp_path: Path) -> None:
    """No infected message passes and no clean one is lost."""
    with running_clamd() as first, running_clamd() as second:
        async with receiving(tmp_path, **virus(first.unix, second.tcp)) as running:
            clients = [await running.client() for _ in range(6)]
            for client in clients:
                await client.greet()

            async def load(client: Client) -> list[str]:
                return [(await send(client, one))[:3] for one in (CLEAN, INFECTED) * 15]

            going = [asyncio.create_task(load(client)) for client in clients]
            while len(running.store.delivered) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await asyncio.to_thread(first.stop)
            assert await asyncio.gather(*going) == [["250", "550"] * 15] * 6
            assert len(running.store.delivered) == 6 * 15


async def test_what_was_scanned_is_remembered_until_the_signatures_change(tmp_path: Path) -> None:
    with running_clamd(version=27000) as clamd:
        async with receiving(tmp_path, **virus(clamd.unix)) as running:
            counts = running.scanner.counts
            for _ in range(3):
                assert (await answer(running, CLEAN))[:3] == "250"
                assert (await answer(running, INFECTED))[:3] == "550"
            assert (counts.scanned, counts.remembered, counts.found) == (2, 4, 3)
            clamd.learn("Test.Harmless", b"harmless")
            clamd.version(27001)
            await asyncio.to_thread(clamd.reload)
            told = without_id(await answer(running, CLEAN))
            assert told == "550 5.7.1 Message contains a virus: Test.Harmless.UNOFFICIAL"
            assert without_id(await answer(running, INFECTED)) == REFUSED
            assert (counts.scanned, counts.remembered) == (4, 4)


async def test_nothing_is_remembered_of_signatures_without_a_version(tmp_path: Path) -> None:
    async with false_clamd(false.clean) as clamd:
        clamd.version = b"ClamAV 1.4.6"
        async with receiving(tmp_path, **virus(clamd.address)) as running:
            for _ in range(2):
                assert (await answer(running, CLEAN))[:3] == "250"
            assert clamd.scans == 2
            clamd.version = VERSION
            clamd.drop()  # as when it is started again
            for _ in range(2):
                assert (await answer(running, CLEAN))[:3] == "250"
            assert clamd.scans == 3


async def test_a_size_that_clamd_does_not_take(tmp_path: Path) -> None:
    """Not scanned is not clean."""
    lines = b"".join(b"y" * 70 + b"\r\n" for _ in range(40_000))
    with running_clamd(limit="1M") as clamd:
        async with receiving(tmp_path, **virus(clamd.unix)) as running:
            assert without_id(await answer(running, lines)) == LATER
            assert (await answer(running, CLEAN))[:3] == "250"
            assert running.scanner.pool.problems == {clamd.unix: ""}


@pytest.mark.parametrize(
    "verdict",
    [false.hang, false.deaf, false.die, false.leave, false.endless],
)
async def test_a_clamd_that_misbehaves_delays_mail_and_lets_nothing_through(
    tmp_path: Path, verdict: false.Verdict
) -> None:
    async with (
        false_clamd(verdict) as clamd,
        receiving(tmp_path, **virus(clamd.address, timeout="300ms")) as running,
    ):
        assert without_id(await answer(running, CLEAN)) == LATER
        assert running.store.delivered == []


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:99999", "tcp:a..b:3310"])
async def test_an_address_that_can_not_be_lets_nothing_through(
    tmp_path: Path, address: str
) -> None:
    async with receiving(tmp_path, **virus(address)) as running:
        assert without_id(await answer(running, CLEAN)) == LATER


async def test_whatever_goes_wrong_a_message_is_not_called_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(ClamdPool, "scan", broken)
    async with receiving(tmp_path, **virus("unix:/nowhere")) as running:
        assert without_id(await answer(running, CLEAN)) == LATER


async def test_a_hanging_clamd_holds_up_nobody_else(tmp_path: Path) -> None:
    """Who does not wait for the scanner is answered meanwhile, and the other clamd takes over."""
    async with false_clamd(false.hang) as hanging, false_clamd(false.clean) as good:
        settings = virus(hanging.address, good.address, timeout="1s")
        async with receiving(tmp_path, **settings) as running:
            waiting = asyncio.create_task(answer(running, CLEAN))
            other = await running.client()
            await other.greet()
            for _ in range(20):
                assert (await other.say("NOOP"))[:3] == "250"
            assert not waiting.done()
            assert (await waiting)[:3] == "250"
            assert (hanging.scans, good.scans) == (1, 1)


async def test_who_goes_away_meanwhile_leaves_nothing_behind(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def slow(stream: Stream) -> None:
        begun.set()
        await stream.content()
        await asyncio.Event().wait()

    clamd: FalseClamd
    async with false_clamd(slow) as clamd, receiving(tmp_path, **virus(clamd.address)) as running:
        client = await running.client()
        await client.begin()
        client.write(CLEAN + b".\r\n")
        await asyncio.wait_for(begun.wait(), 20)
        client.reset()
        clamd.verdict = false.clean
        assert (await answer(running, CLEAN))[:3] == "250"
        delivered: list[Delivery] = running.store.delivered
        assert len(delivered) == 1
