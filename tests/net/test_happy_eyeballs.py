"""Staggered connects: an address that is silent or refuses costs a moment, not a time-out."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from net.happy_eyeballs import connect_first
from tests.support.run import free_port
from tests.support.silent import silent


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[None]:
    with socket.create_server((host, port)):
        yield


async def first(addresses: list[str], port: int, seconds: float = 10) -> str:
    address, connected = await connect_first(addresses, port, seconds)
    connected.close()
    return address


async def test_silent_address_is_followed_by_the_next_after_a_moment() -> None:
    port = free_port()
    with silent("127.0.0.2", port), listening("127.0.0.3", port):
        async with asyncio.timeout(5):
            assert await first(["127.0.0.2", "127.0.0.3"], port) == "127.0.0.3"


async def test_refusal_is_followed_by_the_next_at_once() -> None:
    port = free_port()
    with listening("127.0.0.3", port):
        assert await first(["127.0.0.2", "::1", "127.0.0.3"], port) == "127.0.0.3"


async def test_first_address_is_preferred_when_it_answers() -> None:
    port = free_port()
    with listening("127.0.0.2", port), listening("127.0.0.3", port):
        assert await first(["127.0.0.2", "127.0.0.3"], port) == "127.0.0.2"


async def test_all_refuse() -> None:
    with pytest.raises(ConnectionRefusedError):
        await first(["127.0.0.2", "127.0.0.3"], free_port())


async def test_all_are_silent() -> None:
    port = free_port()
    with silent("127.0.0.2", port), silent("127.0.0.3", port), pytest.raises(TimeoutError):
        await first(["127.0.0.2", "127.0.0.3"], port, seconds=0.6)
