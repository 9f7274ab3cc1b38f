"""The sealed connection: who has another key or changes anything is cut off."""

import asyncio
from pathlib import Path

import pytest

from net.places import Place, dial, listen, parse_place
from net.sealed import BACKLOG, MOST, SIGN, SealedError, seal
from tests.support.sealed_pair import KEY, pair


async def test_frames_arrive_in_order_both_ways() -> None:
    async with pair() as (one, two):
        bodies = [b"", b"a", b"b" * MOST]
        for sender, receiver in ((one, two), (two, one)):
            for body in bodies:
                sender.put(body)
            assert [await receiver.get() for _ in bodies] == bodies


async def test_another_key_is_refused() -> None:
    with pytest.raises(SealedError):
        async with pair(b"x" * 32):
            pass


async def test_too_much_is_not_sent() -> None:
    async with pair() as (one, _):
        with pytest.raises(SealedError, match="more than"):
            one.put(b"x" * (MOST + 1))


async def test_who_takes_nothing_is_given_up() -> None:
    async with pair() as (one, _):
        with pytest.raises(SealedError, match="takes nothing"):
            for _ in range(2 * BACKLOG // MOST):
                one.put(b"x" * MOST)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x" * 80, id="http"),
        pytest.param(SIGN + b"\0" * 64 + b"\0" * 32, id="share"),
        pytest.param(SIGN + b"\1" * 64 + b"\0" * 32, id="proof"),
        pytest.param(SIGN, id="short"),
    ],
)
async def test_strangers_are_cut_off(sent: bytes) -> None:
    refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await seal(reader, writer, KEY, dialled=False)
        except SealedError as error:
            refused.set_result(str(error))

    server, at = await listen(parse_place("tcp:127.0.0.1:0"), accept)
    reader, writer = await dial(at)
    writer.write(sent)
    writer.write_eof()
    assert await refused
    await reader.read()
    writer.close()
    server.close()


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\xff\xff\xff\xff", id="length"),
        pytest.param(b"\0\0\0\x10" + b"\0" * 16, id="forged"),
        pytest.param(b"\0\0\0\x01\0", id="tagless"),
    ],
)
async def test_a_forged_frame_ends_the_connection(frame: bytes) -> None:
    async with pair() as (one, two):
        one._writer.write(frame)
        with pytest.raises(SealedError):
            await two.get()


async def test_a_frame_is_not_taken_twice() -> None:
    async with pair() as (one, two):
        sent: list[bytes] = []
        write = one._writer.write

        def record(data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))
            write(data)

        one._writer.write = record  # type: ignore[method-assign]
        one.put(b"once")
        assert await two.get() == b"once"
        write(sent[0])
        with pytest.raises(SealedError, match="changed"):
            await two.get()


async def test_a_socket_file_left_behind_is_replaced(tmp_path: Path) -> None:
    place = Place(path=tmp_path / ("long" * 20) / ("name" * 20))

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        writer.close()

    for _ in range(2):
        server, at = await listen(place, accept)
        reader, writer = await dial(at)
        assert await reader.read() == b"here"
        writer.close()
        server.close()
    assert place.path is not None
    assert place.path.stat().st_mode & 0o777 == 0o600
