"""Scanning with a real clamd, and with servers that hang, lie or go in its place."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from config.logging import get_logger
from net.clamd import ClamdBusy, ClamdError, ClamdTooLarge, ping, place_of, reload, statistics
from net.clamd_client import ClamdClient
from net.clamd_pool import ClamdPool
from net.clamd_session import Pieces
from tests.support import false_clamd as false
from tests.support.clamd import EICAR, NAME, Clamd, running_clamd
from tests.support.false_clamd import FalseClamd, Verdict, false_clamd
from tests.support.run import free_port

TIMEOUT = 20.0


@pytest.fixture(scope="module")
def clamd() -> Iterator[Clamd]:
    with running_clamd(limit="1M", version=27000) as running:
        yield running


def pieces(*parts: bytes) -> Pieces:
    async def source() -> AsyncGenerator[bytes, None]:
        for part in parts:
            yield part

    return source


@asynccontextmanager
async def client(
    address: str, timeout: float = TIMEOUT, most: int = 4
) -> AsyncIterator[ClamdClient]:
    made = ClamdClient(address, timeout, most)
    try:
        yield made
    finally:
        made.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_a_real_clamd_finds_and_finds_not(clamd: Clamd, kind: str) -> None:
    async with client(getattr(clamd, kind)) as scanner:
        for _ in range(3):
            clean = await scanner.scan(pieces(b"Subject: x\r\n\r\n", b"nothing\r\n"))
            assert clean.signature == ""
            assert clean.version.startswith("ClamAV 1.") and "/27000/" in clean.version
            found = await scanner.scan(pieces(b"Subject: x\r\n\r\n", EICAR[:20], EICAR[20:]))
            assert found.signature == NAME
        assert await scanner.version() == clean.version
        await scanner.ping()


async def test_scans_beside_one_another(clamd: Clamd) -> None:
    async with client(clamd.unix, most=3) as scanner:
        texts = [b"x" * 100, EICAR] * 20
        found = await asyncio.gather(*(scanner.scan(pieces(text)) for text in texts))
        assert [one.signature for one in found] == ["", NAME] * 20
        assert scanner.busy == 0


async def test_what_is_too_large_for_clamd_is_said_and_leaves_it_usable(clamd: Clamd) -> None:
    async with client(clamd.unix) as scanner:
        for size in (2, 40):
            with pytest.raises(ClamdTooLarge, match="size limit exceeded"):
                await scanner.scan(pieces(*[b"x" * 1024 * 1024] * size))
        assert (await scanner.scan(pieces(EICAR))).signature == NAME


async def test_an_empty_content_is_clean(clamd: Clamd) -> None:
    async with client(clamd.unix) as scanner:
        assert (await scanner.scan(pieces())).signature == ""
        assert (await scanner.scan(pieces(b""))).signature == ""


async def test_a_clamd_that_was_started_again_is_no_failure() -> None:
    with running_clamd() as clamd:
        async with client(clamd.unix) as scanner:
            assert (await scanner.scan(pieces(EICAR))).signature == NAME
            await asyncio.to_thread(clamd.stop)
            with pytest.raises(ClamdError, match="no answer at unix:"):
                await scanner.scan(pieces(EICAR))
            await asyncio.to_thread(clamd.start)
            assert (await scanner.scan(pieces(EICAR))).signature == NAME
            await asyncio.to_thread(clamd.stop)
            await asyncio.to_thread(clamd.start)
            assert (await scanner.scan(pieces(EICAR))).signature == NAME


def test_control_commands(clamd: Clamd) -> None:
    for address in (clamd.unix, clamd.tcp):
        assert ping(address).startswith("ClamAV 1.")
        assert statistics(address).threads == 4
        reload(address)
    with pytest.raises(ClamdError, match=r"no answer at unix:/nowhere"):
        ping("unix:/nowhere")
    with pytest.raises(ClamdError, match=r"no answer at tcp:127\.0\.0\.1:"):
        statistics(f"tcp:127.0.0.1:{free_port()}")


def test_addresses() -> None:
    assert place_of("unix:/run/clamav/clamd.ctl") == "/run/clamav/clamd.ctl"
    assert place_of("tcp:localhost:3310") == ("localhost", 3310)
    assert place_of("tcp:[::1]:3310") == ("::1", 3310)


LIES: list[tuple[Verdict, str]] = [
    (false.die, "closed the connection"),
    (false.leave, "closed the connection"),
    (false.endless, "an answer without end"),
    (false.saying(b"stream: PERHAPS"), "it says 'stream: PERHAPS'"),
    (false.saying(b"OK"), "it says 'OK'"),
    (false.saying(b""), "it says ''"),
    (false.blurting(b"stream: OK\0"), "closed|nobody asked for|it says 'stream: OK'"),
    (false.blurting(b"99: stream: OK\0"), "nobody asked for"),
    (false.blurting(b"1: stream: OK\0"), "nobody asked for"),
    (false.blurting(b"\xff\xfe\0"), r"it says '\?\?'"),
    (false.blurting(b"250 OK\r\n\0"), "it says"),
]


@pytest.mark.parametrize(("verdict", "reason"), LIES)
async def test_lies_and_deaths_are_errors(verdict: Verdict, reason: str) -> None:
    async with false_clamd(verdict) as clamd, client(clamd.address) as scanner:
        with pytest.raises(ClamdError, match=reason):
            await scanner.scan(pieces(*[b"x" * 300_000] * 3))


@pytest.mark.parametrize("size", [100, 8_000_000])
async def test_an_answer_before_the_end_is_not_believed(size: int) -> None:
    """The end comes when clamd has answered, however little that is."""
    answered = asyncio.Event()

    async def hasty(stream: false.Stream) -> None:
        await false.hasty(stream)
        await stream.writer.drain()
        answered.set()

    async def slow() -> AsyncGenerator[bytes, None]:
        yield b"x" * size
        await answered.wait()
        for _ in range(1000):  # as long as it takes to be read
            await asyncio.sleep(0)
            yield b"x"

    async with false_clamd(hasty) as clamd, client(clamd.address) as scanner:
        with pytest.raises(ClamdError, match="before the end of the message"):
            await scanner.scan(slow)


@pytest.mark.parametrize("verdict", [false.hang, false.deaf])
async def test_a_clamd_that_hangs_is_left_in_time(verdict: Verdict) -> None:
    async with false_clamd(verdict) as clamd, client(clamd.address, timeout=0.3) as scanner:
        for _ in range(2):
            with pytest.raises(ClamdError, match=r"no answer within 0\.3 s"):
                await scanner.scan(pieces(*[b"x" * 1_000_000] * 20))
        assert scanner.busy == 0


async def test_names_are_fit_for_a_reply() -> None:
    found = false.saying(b"stream: Evil\r\n250 Ok\x7f" + b"y" * 500 + b" FOUND")
    async with false_clamd(found) as clamd, client(clamd.address) as scanner:
        name = (await scanner.scan(pieces(b"x"))).signature
        assert name.startswith("Evil??250 Ok?yyy") and len(name) == 128


async def test_a_failing_source_is_no_fault_of_clamd() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise OSError("the disk is gone")

    async with false_clamd(false.clean) as clamd, client(clamd.address) as scanner:
        with pytest.raises(OSError, match="the disk is gone"):
            await scanner.scan(broken)
        assert (await scanner.scan(pieces(b"x"))).signature == ""


async def test_a_session_is_kept_for_the_next_message() -> None:
    async with false_clamd(false.clean) as clamd, client(clamd.address) as scanner:
        for _ in range(5):
            await scanner.scan(pieces(b"x"))
        assert clamd.connections == 1
        clamd.drop()
        await scanner.scan(pieces(b"x"))
        assert (clamd.connections, clamd.scans) == (2, 6)


async def test_the_version_is_asked_before_scans_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with false_clamd(false.clean) as clamd, client(clamd.address) as scanner:
        first = await scanner.scan(pieces(b"x"))
        clamd.version = b"ClamAV 1.4.6/27001/later"
        assert (await scanner.scan(pieces(b"x"))).version == first.version
        monkeypatch.setattr("net.clamd_session.VERSION_SECONDS", 0.0)
        assert (await scanner.scan(pieces(b"x"))).version == "ClamAV 1.4.6/27001/later"


async def test_a_kept_session_in_which_clamd_talks_unasked_is_ended() -> None:
    async with false_clamd(false.clean) as clamd, client(clamd.address) as scanner:
        await scanner.scan(pieces(b"x"))
        (writer,) = clamd.writers
        writer.write(b"7: stream: OK\0" * 1000)
        async with asyncio.timeout(20):
            await writer.wait_closed()
        assert (await scanner.scan(pieces(b"x"))).signature == ""
        assert clamd.connections == 2


@asynccontextmanager
async def pool(*addresses: str, timeout: float = TIMEOUT) -> AsyncIterator[ClamdPool]:
    made = ClamdPool(get_logger("test"), first_pause=0.05)
    made.reload(addresses, timeout, 4)
    try:
        yield made
    finally:
        made.close()
        await asyncio.sleep(0)


async def test_the_next_takes_over_and_the_first_comes_back() -> None:
    with running_clamd() as first, running_clamd() as second:
        async with pool(first.unix, second.tcp) as clamds:
            assert (await clamds.scan(pieces(EICAR))).signature == NAME
            await asyncio.to_thread(first.stop)
            found = await asyncio.gather(*(clamds.scan(pieces(EICAR)) for _ in range(20)))
            assert {one.signature for one in found} == {NAME}
            assert clamds.problems == {first.unix: f"no answer at {first.unix}", second.tcp: ""}
            await asyncio.to_thread(second.stop)
            with pytest.raises(ClamdError, match=r"no answer at unix:.*; no answer at tcp:"):
                await clamds.scan(pieces(EICAR))
            await asyncio.to_thread(first.start)
            await well(clamds, first.unix)
            assert (await clamds.scan(pieces(EICAR))).signature == NAME


async def well(clamds: ClamdPool, address: str) -> None:
    async with asyncio.timeout(20):
        while clamds.problems[address]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_one_that_failed_is_not_asked_until_it_answers() -> None:
    async with false_clamd(false.hang) as hanging, false_clamd(false.clean) as good:
        hanging.pings = False
        async with pool(hanging.address, good.address, timeout=0.3) as clamds:
            for _ in range(10):
                assert (await clamds.scan(pieces(b"x"))).signature == ""
            assert (hanging.scans, good.scans) == (1, 10)
            hanging.verdict, hanging.pings = false.clean, True
            await asyncio.wait_for(well(clamds, hanging.address), 20)


async def test_one_that_answers_ping_and_scans_nothing_is_left_for_longer_each_time() -> None:
    async with (
        false_clamd(false.hang) as hanging,
        false_clamd(false.clean) as good,
        pool(hanging.address, good.address, timeout=0.3) as clamds,
    ):
        (member, _) = clamds._members
        for number in range(1, 4):
            assert (await clamds.scan(pieces(b"x"))).signature == ""
            assert (member.failures, hanging.scans) == (number, number)
            left = asyncio.get_running_loop().time()
            await asyncio.wait_for(well(clamds, hanging.address), 20)
        # no sleep ends early: however busy the machine is, the third pause was 0.2 s at least
        assert asyncio.get_running_loop().time() - left >= 0.19
        await clamds.version()
        assert member.failures == 3
        hanging.verdict = false.clean
        assert (await clamds.scan(pieces(b"x"))).signature == ""
        assert member.failures == 0


async def test_the_least_busy_is_asked() -> None:
    gate = asyncio.Event()

    async def waiting(stream: false.Stream) -> None:
        await stream.content()
        await gate.wait()
        stream.say(b"stream: OK")

    async with (
        false_clamd(waiting) as first,
        false_clamd(waiting) as second,
        pool(first.address, second.address) as clamds,
    ):
        scans = [asyncio.create_task(clamds.scan(pieces(b"x"))) for _ in range(6)]
        async with asyncio.timeout(20):
            while first.scans + second.scans < 6:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        gate.set()
        await asyncio.gather(*scans)
        assert (first.scans, second.scans) == (3, 3)


async def test_one_that_is_busy_is_not_taken_for_one_that_failed() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def waiting(stream: false.Stream) -> None:
        await stream.content()
        begun.set()
        await gate.wait()
        stream.say(b"stream: OK")

    made = ClamdPool(get_logger("test"))
    async with false_clamd(waiting) as clamd:
        made.reload([clamd.address], TIMEOUT, 1)
        first = asyncio.create_task(made.scan(pieces(b"x")))
        await asyncio.wait_for(begun.wait(), 20)
        (member,) = made._members
        member.client._timeout = 0.1
        with pytest.raises(ClamdBusy, match=r"busy for 0\.1 s"):
            await made.scan(pieces(b"x"))
        assert made.problems == {clamd.address: ""}
        gate.set()
        assert (await first).signature == ""
        assert (await made.scan(pieces(b"x"))).signature == ""
        made.close()
        await asyncio.sleep(0)


async def test_a_larger_clamd_is_asked_when_the_first_takes_no_such_size() -> None:
    small: FalseClamd
    limit = b"INSTREAM size limit exceeded. ERROR"
    async with false_clamd(false.saying(limit)) as small, false_clamd(false.clean) as large:
        async with pool(small.address, large.address) as clamds:
            assert (await clamds.scan(pieces(b"x"))).signature == ""
            assert clamds.problems == {small.address: "", large.address: ""}
        async with pool(small.address) as clamds:
            with pytest.raises(ClamdTooLarge):
                await clamds.scan(pieces(b"x"))


async def test_changed_addresses_are_taken_while_scans_go_on() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def waiting(stream: false.Stream) -> None:
        await stream.content()
        begun.set()
        await gate.wait()
        stream.say(b"stream: Old FOUND")

    async with (
        false_clamd(waiting) as old,
        false_clamd(false.saying(b"stream: New FOUND")) as fresh,
        pool(old.address) as clamds,
    ):
        going = asyncio.create_task(clamds.scan(pieces(b"x")))
        await asyncio.wait_for(begun.wait(), 20)
        clamds.reload([fresh.address], TIMEOUT, 4)
        assert (await clamds.scan(pieces(b"x"))).signature == "New"
        gate.set()
        assert (await going).signature == "Old"
        clamds.reload([], TIMEOUT, 4)
        with pytest.raises(ClamdError, match="no clamd is named"):
            await clamds.scan(pieces(b"x"))
