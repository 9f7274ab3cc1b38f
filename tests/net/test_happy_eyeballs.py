"""Staggered connects: an address that is silent or refuses costs a moment, not a time-out."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

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


async def test_each_family_is_connected_from_its_own_source() -> None:
    sources = {socket.AF_INET: "127.0.0.4", socket.AF_INET6: "::1"}
    for host in ("127.0.0.3", "::1"):
        with peer_of(host) as (port, accept):
            refused = "127.0.0.5"
            _, connected = await connect_first([refused, host], port, 10, sources)
            assert connected.getsockname()[0] == sources[connected.family]
            assert accept() == sources[connected.family]
            connected.close()


async def test_a_source_that_is_not_ours_fails_and_the_next_address_is_tried() -> None:
    with peer_of("::1") as (port, _):
        sources = {socket.AF_INET: "192.0.2.99"}
        address, connected = await connect_first(["127.0.0.1", "::1"], port, 10, sources)
        connected.close()
        assert address == "::1"


@contextlib.contextmanager
def peer_of(host: str) -> Iterator[tuple[int, Callable[[], str]]]:
    """A listener's port, and who connected to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:

        def accept() -> str:
            made, peer = server.accept()
            made.close()
            return str(peer[0])

        yield server.getsockname()[1], accept
