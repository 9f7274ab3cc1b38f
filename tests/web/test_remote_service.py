"""Calls of a service elsewhere: what is asked again, what is not, and who is left alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from config.clock import SystemClock
from config.logging import silent_logger
from net.breaker import State
from net.contract import called, contract
from net.link import Link, Offer, TooLate, Unavailable
from net.places import listen, parse_place
from net.sealed import seal
from storage.service_endpoints import ServiceEndpoint, ServiceEndpoints
from storage.shared_changes import SharedChanges
from tests.support.directories import make_settings, open_directory
from web.registry_remote import RemoteService

KEY = b"k" * 32


class Desk(Protocol):
    @called(idempotent=True)
    async def read(self) -> str: ...

    async def write(self) -> str: ...

    @called(seconds=0.05)
    async def doze(self) -> str: ...


DESK = contract("desk", Desk)


@dataclass
class Peer:
    """A process that serves DESK, and breaks the connection in the first `breaks` calls."""

    breaks: int = 0
    asked: list[str] = field(default_factory=list)
    dialled: int = 0
    links: list[Link] = field(default_factory=list)

    async def read(self) -> str:
        return await self._answer("read")

    async def write(self) -> str:
        return await self._answer("write")

    async def doze(self) -> str:
        await asyncio.Event().wait()
        return "never"

    async def _answer(self, name: str) -> str:
        self.asked.append(name)
        if len(self.asked) <= self.breaks:
            for link in self.links:
                link.close()
        return name

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialled += 1
        sealed = await seal(reader, writer, KEY, dialled=False)
        link = Link(sealed, silent_logger(), offers={"desk": Offer(DESK, self)})
        self.links.append(link)
        await link.run()


@asynccontextmanager
async def served(tmp_path: Path, *peers: Peer) -> AsyncIterator[tuple[RemoteService, list[str]]]:
    """The service with these processes, and their places."""
    clock, places = SystemClock(), list[str]()

    async def key() -> bytes:
        return KEY

    async with open_directory(make_settings(tmp_path)) as directory:
        endpoints = ServiceEndpoints(directory.database, clock)
        servers = []
        for number, peer in enumerate(peers):
            server, at = await listen(parse_place("tcp:127.0.0.1:0"), peer.accept)
            servers.append(server)
            places.append(str(at))
            row = ServiceEndpoint(str(number), "desk", "1", str(at), ("GET /desk",), 1, 1.0)
            await endpoints.register(row)
        changes = SharedChanges(directory)
        service = RemoteService(DESK, endpoints, key, changes, clock, silent_logger())
        await service.start()
        try:
            yield service, places
        finally:
            await service.stop()
            for peer in peers:
                for link in peer.links:
                    link.close()
            for server in servers:
                server.close()
            await changes.close()


async def ask(service: RemoteService, name: str) -> str:
    found: str = await service.call(name, (), {})
    return found


async def test_what_is_idempotent_is_asked_again_once(tmp_path: Path) -> None:
    peer = Peer(breaks=1)
    async with served(tmp_path, peer) as (service, _):
        assert await ask(service, "read") == "read"
        assert peer.asked == ["read", "read"]
        assert service.accepted == {"GET /desk"}
    peer = Peer(breaks=9)
    async with served(tmp_path / "other", peer) as (service, _):
        with pytest.raises(Unavailable):
            await ask(service, "read")
        assert peer.asked == ["read", "read"]


async def test_nothing_else_is_asked_again(tmp_path: Path) -> None:
    peer = Peer(breaks=1)
    async with served(tmp_path, peer) as (service, _):
        with pytest.raises(Unavailable):
            await ask(service, "write")
        assert peer.asked == ["write"]
        assert await ask(service, "write") == "write"


async def test_processes_are_asked_in_turns(tmp_path: Path) -> None:
    peers = (Peer(), Peer(), Peer())
    async with served(tmp_path, *peers) as (service, _):
        for _ in range(9):
            await ask(service, "write")
        assert [len(peer.asked) for peer in peers] == [3, 3, 3]
        assert service.health() == ""


async def test_who_fails_is_left_alone(tmp_path: Path) -> None:
    peer = Peer(breaks=99)
    async with served(tmp_path, peer) as (service, _):
        for _ in range(3):
            with pytest.raises(Unavailable):
                await ask(service, "write")
        (known,) = service.peers()
        assert [known.breaker.state] == [State.OPEN]
        dialled = peer.dialled
        for _ in range(20):
            with pytest.raises(Unavailable) as refused:
                await ask(service, "read")
            assert refused.value.wait >= 1
        assert (len(peer.asked), peer.dialled) == (3, dialled)
        assert service.health() == "no process serves it"
        peer.breaks = 0
        while known.breaker.state is not State.CLOSED:  # noqa: ASYNC110 - it is tried by itself
            await asyncio.sleep(0.05)
        assert await ask(service, "write") == "write"


async def test_who_does_not_answer_is_left_alone(tmp_path: Path) -> None:
    async with served(tmp_path, Peer()) as (service, _):
        for _ in range(3):
            with pytest.raises(TooLate):
                await ask(service, "doze")
        (known,) = service.peers()
        assert known.breaker.state is State.OPEN
        with pytest.raises(Unavailable) as refused:
            await ask(service, "read")
        assert not isinstance(refused.value, TooLate)


async def test_a_service_that_nobody_serves(tmp_path: Path) -> None:
    async with served(tmp_path) as (service, _):
        with pytest.raises(Unavailable, match="The service desk is not available"):
            await ask(service, "read")
