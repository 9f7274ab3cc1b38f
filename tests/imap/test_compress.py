"""COMPRESS=DEFLATE: bombs and rubbish, what is pipelined, large messages, zlib's memory."""

import asyncio
import os
import zlib
from base64 import encodebytes
from pathlib import Path

import pytest

from imap import compression
from imap.compression import BadDeflate, Compression, Holders
from imap.context import Bounds, Timing
from tests.support.imap_server import Client, Imap, message, serving


async def _compressed(imap: Imap, mailbox: str = "INBOX", *, tls: bool = False) -> Client:
    client = await imap.client(tls=tls)
    await client.ok('LOGIN user@example.test "correct horse"')
    await client.ok("COMPRESS DEFLATE")
    client.compress()
    if mailbox:
        await client.ok(f"SELECT {mailbox}")
    return client


def _raw(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, wbits=-15)
    return deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize("tls", [False, True])
async def test_messages_of_any_size_come_whole(tmp_path: Path, tls: bool) -> None:
    bodies = [
        "y" * 70 + "\r\n",
        "text of a kind\r\n" * 60_000,
        encodebytes(os.urandom(900_000)).decode().replace("\n", "\r\n"),
    ]
    async with serving(tmp_path) as imap:
        client = await _compressed(imap, tls=tls)
        for number, body in enumerate(bodies, 1):
            data = message(f"m{number}", body)
            assert (await client.append(data)).startswith(b"OK")
            (fetched,) = await client.ok(f"FETCH {number} BODY.PEEK[]")
            assert fetched.endswith(b"{%d}\r\n%b)" % (len(data), data))
        assert len(await client.ok("FETCH 1:3 (FLAGS BODY.PEEK[])")) == 3


async def test_what_is_pipelined_behind_it_is_taken_as_compressed(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.send(b"c COMPRESS DEFLATE\r\n" + _raw(b"d NOOP\r\ne LOGOUT\r\n"))
        assert (await client.line()) == b"c OK DEFLATE active"
        client.compress()
        assert (await client.line()).startswith(b"d OK")
        assert (await client.line()).startswith(b"* BYE")


async def test_plain_text_behind_it_ends_the_connection(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.send(b"c COMPRESS DEFLATE\r\nd NOOP\r\n")
        assert (await client.line()) == b"c OK DEFLATE active"
        client.compress()
        assert (await client.line()).startswith(b"* BYE This is not compressed")
        assert await client.line() == b""


@pytest.mark.parametrize("idling", [False, True])
async def test_an_end_of_the_stream_ends_the_connection(tmp_path: Path, idling: bool) -> None:
    async with serving(tmp_path) as imap:
        client = await imap.session()
        await client.send(b"c COMPRESS DEFLATE\r\n")
        await client.line()
        client.compress()
        start = b"i IDLE\r\n" if idling else b"n NOOP\r\n"
        client._writer.write(_raw(start))
        await client.line()
        client._writer.write(b"\x01\x00\x00\xff\xff")
        assert (await client.line()).startswith(b"* BYE This is not compressed")


async def test_a_bomb_is_a_long_line_and_holds_nobody_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        other, client = await imap.session(), await _compressed(imap, "")
        bomb = _raw(b"n NOOP " + b"x" * 100_000_000 + b"\r\nm NOOP\r\n")
        assert len(bomb) < 120_000
        client._writer.write(bomb)
        worst, loop = 0.0, asyncio.get_running_loop()
        for _ in range(20):
            before = loop.time()
            await other.ok("NOOP")
            worst = max(worst, loop.time() - before)
        assert (await client.line()).startswith(b"n BAD [TOOBIG]")
        assert (await client.line()).startswith(b"m OK")
        assert worst < 0.5


async def test_too_much_rubbish_is_the_end_though_it_came_small(tmp_path: Path) -> None:
    async with serving(tmp_path) as imap:
        client = await _compressed(imap, "")
        client._writer.write(_raw(b"n NOOP " + b"x" * 300_000_000))
        assert (await client.line()).startswith(b"* BYE")


async def test_commands_behind_a_running_one_wait_compressed(tmp_path: Path) -> None:
    async with serving(tmp_path, bounds=Bounds(input_buffer=1024)) as imap:
        for number in range(3):
            await imap.deliver(message(f"n{number}"))
        client = await _compressed(imap)
        many = b"".join(b"s%d STORE 1 +FLAGS (k%d)\r\n" % (n, n) for n in range(100))
        for start in range(0, len(many), 100):
            await client.send(many[start : start + 100])
        _, tagged = await client.until(b"s99")
        assert tagged.startswith(b"OK")


async def test_a_client_that_does_not_read_is_given_up(tmp_path: Path) -> None:
    timing = Timing(write=0.2)
    async with serving(tmp_path, timing=timing, bounds=Bounds(write_buffer=4096)) as imap:
        client = await _compressed(imap)
        await client.append(message("x", encodebytes(os.urandom(3_000_000)).decode()))
        client._writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(b"f FETCH 1 BODY.PEEK[]\r\n" * 8)
        async with asyncio.timeout(10):
            await imap.server._empty.wait()


async def test_at_rest_zlib_holds_no_memory_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_REST", 0.05)
    async with serving(tmp_path) as imap:
        client = await _compressed(imap)
        (connection,) = imap.server._connections
        zipped = connection._inbox.compression
        assert zipped is not None
        for number in range(1, 4):
            await imap.deliver(message(f"m{number}", "z" * 40_000))
            assert await client.ok("NOOP") == [b"* %d EXISTS" % number]
            await client.ok(f"FETCH {number} BODY.PEEK[]")
            await asyncio.sleep(0.2)
            assert zipped._deflate is None
            assert zipped._inflate is None
            assert len(zipped._history) < 200
        await client.idle()
        await imap.deliver(message("m4"))
        assert await client.line() == b"* 4 EXISTS"
        assert await client.done() == []


async def test_of_many_clients_only_the_last_hold_zlibs_memory_and_all_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "_HOLDERS", 2)
    monkeypatch.setattr(compression, "_REST", 3600)
    data = message("m", "some text\r\n" * 2_000)
    async with serving(tmp_path) as imap:
        await imap.deliver(data)
        clients = [await _compressed(imap) for _ in range(5)]
        made = [c._inbox.compression for c in imap.server._connections]
        for client in clients * 2:
            (fetched,) = await client.ok("FETCH 1 BODY.PEEK[]")
            assert fetched.endswith(data + b")")
            assert sum(c is not None and c._deflate is not None for c in made) == 2
            assert sum(c is not None and c._inflate is not None for c in made) == 2
        for tag in (b"f", b"g"):
            for client in clients:
                await client.send(tag + b" FETCH 1 BODY.PEEK[]\r\n")
            for client in clients:
                (fetched,), tagged = await client.until(tag)
                assert fetched.endswith(data + b")")
                assert tagged.startswith(b"OK")
        for client in clients:
            await client.ok("LOGOUT")
        async with asyncio.timeout(10):
            await imap.server._empty.wait()
    assert [c for c in made if c is not None and c in c._holders._held] == []


async def test_who_lets_go_in_the_middle_loses_nothing() -> None:
    made, transport, _ = await _pair()
    client = zlib.compressobj(9, wbits=-15)
    phrase = os.urandom(20_000)
    told = (phrase + b"x" * 100_000) * 2
    sent = client.compress(told) + client.flush(zlib.Z_SYNC_FLUSH)
    taken, written = b"", 0
    for start in range(0, len(sent), 1_000):
        made.receive(sent[start : start + 1_000])
        while made.pending:
            taken += made.read()
            made.write(phrase)
            written += 1
            made.let_go()
            assert made._deflate is None
    assert taken == told
    assert made._inflate is None
    for _ in range(2 * written):  # a step is a turn of the loop
        await asyncio.sleep(0)
    assert zlib.decompressobj(-15).decompress(transport.data) == phrase * written
    made.close()


class _Transport:
    """Takes what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


async def _pair() -> tuple[Compression, _Transport, list[str]]:
    transport, calls = _Transport(), list[str]()
    made = Compression(
        asyncio.get_running_loop(),
        transport,  # type: ignore[arg-type]
        lambda: calls.append("block"),
        lambda: calls.append("unblock"),
        Holders(),
    )
    return made, transport, calls


async def test_much_output_goes_in_steps_with_pressure() -> None:
    made, transport, calls = await _pair()
    data = os.urandom(200_000) + b"t" * 200_000
    made.write(data)
    assert calls == ["block"]
    assert len(transport.data) < 40_000
    made.pause()
    await asyncio.sleep(0.01)
    assert len(transport.data) < 40_000
    assert not made.resume()
    for _ in range(20):
        await asyncio.sleep(0)
    assert calls == ["block", "unblock"]
    assert zlib.decompressobj(-15).decompress(transport.data) == data
    assert len(transport.data) < 210_000
    made.close()


async def test_history_outlives_the_rest_and_half_a_block_is_kept() -> None:
    made, _, _ = await _pair()
    client = zlib.compressobj(9, wbits=-15)
    phrase = os.urandom(20_000)
    for flush in (zlib.Z_SYNC_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH):
        made.receive(client.compress(phrase) + client.flush(flush))
        got = b""
        while made.pending:
            got += made.read()
        assert got == phrase
        made._touched = False
        made._rest()
        assert (made._inflate is None) == (flush == zlib.Z_SYNC_FLUSH)
    made.receive(b"\x07\x00")
    with pytest.raises(BadDeflate):
        made.read()
    made.close()
