"""A file as it is sent: to who goes away, and under names of any kind."""

import asyncio
from collections.abc import AsyncGenerator

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from filters.drive.service import Opened
from storage.drive_values import Disposition
from web.drive.disposition import content_disposition
from web.drive.sending import response_of
from web.drive.streams import Streams

SCOPE = {"type": "http", "method": "GET", "path": "/d/x/y", "headers": [], "query_string": b""}


class Endless:
    """A large file that counts what is read of it."""

    size = 1 << 40

    def __init__(self) -> None:
        self.read = 0
        self.closed = False

    async def pieces(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        try:
            while start < end:
                self.read += 1000
                yield bytes(1000)
                start += 1000
        finally:
            self.closed = True


async def test_nothing_is_read_for_who_went_away() -> None:
    octets, left = Endless(), asyncio.Event()
    gone = asyncio.Event()
    sent = 0

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if sent >= 5000:
            gone.set()
        await asyncio.sleep(0)

    opened = Opened("a", "text/plain", "S0", 0.0, octets)
    response = response_of(Request(SCOPE), opened, left.set)
    async with asyncio.timeout(10):
        await response(SCOPE, receive, send)
    assert octets.closed
    assert octets.read < 50_000
    assert left.is_set()


@given(st.text(max_size=100))
def test_any_name_is_one_line_of_ascii(name: str) -> None:
    text = content_disposition(Disposition.ATTACHMENT, name.replace("\ud800", ""))
    assert text.isascii()
    assert text.isprintable()
    assert text.count('"') == 2


def test_streams_are_bounded_and_given_back() -> None:
    streams = Streams(of_address=2, of_file=3)
    first, second = streams.enter("192.0.2.1", "a"), streams.enter("192.0.2.1", "b")
    assert first is not None
    assert second is not None
    assert streams.enter("192.0.2.1", "c") is None
    first()
    first()
    third = streams.enter("192.0.2.1", "c")
    assert third is not None
    for number in range(3):
        assert streams.enter(f"192.0.2.{number + 2}", "f") is not None
    assert streams.enter("192.0.2.9", "f") is None
