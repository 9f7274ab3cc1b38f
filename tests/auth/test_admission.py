"""Who may connect: blocked networks, connections at once and a minute, local networks, reloads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from auth.admission import Admission, Denied
from net.threads import Offload
from storage.directory import Directory
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings


@asynccontextmanager
async def admission(
    folder: Path, **limits: Any
) -> AsyncIterator[tuple[Admission, Directory, MovedClock]]:
    clock, offload = MovedClock(), Offload()
    settings = make_settings(folder, limits=limits)
    directory = await Directory.open(settings, clock, offload)
    yield Admission(settings, clock, directory.blocks), directory, clock
    await directory.close()
    offload.close()


def enter(admission: Admission, address: str, count: int) -> list[Denied | None]:
    return [admission.enter(address) for _ in range(count)]


async def test_at_once_by_address_and_by_network(tmp_path: Path) -> None:
    async with admission(tmp_path, connections_per_address=2, network_factor=2) as (door, _, _):
        assert enter(door, "192.0.2.1", 3) == [None, None, Denied.AT_ONCE]
        assert enter(door, "192.0.2.2", 2) == [None, None]
        assert enter(door, "192.0.2.3", 1) == [Denied.AT_ONCE]
        assert enter(door, "192.0.3.1", 1) == [None]
        door.leave("192.0.2.1")
        assert enter(door, "192.0.2.3", 1) == [None]


async def test_who_connects_too_often_may_come_again_later(tmp_path: Path) -> None:
    async with admission(tmp_path, connections_per_minute_per_address=3) as (door, _, clock):
        for _ in range(3):
            assert door.enter("2001:db8::1") is None
            door.leave("2001:db8::1")
        assert enter(door, "2001:db8::2", 2) == [Denied.TOO_FAST] * 2
        assert door.enter("2001:db8:0:1::1") is None
        clock.seconds += 20
        assert enter(door, "2001:db8::1", 2) == [None, Denied.TOO_FAST]


async def test_local_networks_have_no_limit_but_may_be_blocked(tmp_path: Path) -> None:
    limits = {"connections_per_address": 1, "connections_per_minute_per_address": 1}
    async with admission(tmp_path, **limits) as (door, directory, _):
        assert enter(door, "127.0.0.1", 5) == [None] * 5
        await directory.blocks.add(ip_network("127.0.0.0/8"))
        assert enter(door, "127.0.0.1", 1) == [Denied.BLOCKED]
        await directory.blocks.delete(ip_network("127.0.0.0/8"))
        for _ in range(5):
            door.leave("127.0.0.1")
        assert enter(door, "127.0.0.1", 1) == [None]


async def test_a_reload_changes_limits_and_keeps_the_counts(tmp_path: Path) -> None:
    async with admission(tmp_path, connections_per_address=2) as (door, _, _):
        assert enter(door, "192.0.2.1", 3) == [None, None, Denied.AT_ONCE]
        door.reload(make_settings(tmp_path, limits={"connections_per_address": 3}))
        assert enter(door, "192.0.2.1", 2) == [None, Denied.AT_ONCE]
        local: dict[str, Any] = {"local_networks": ["192.0.2.0/24"]}
        door.reload(make_settings(tmp_path, filters=local))
        assert enter(door, "192.0.2.1", 1) == [None]


async def test_connections_of_an_account(tmp_path: Path) -> None:
    one, other = AccountId(1), AccountId(2)
    async with admission(tmp_path, connections_per_account=2) as (door, _, _):
        assert [door.log_in(one, "192.0.2.1") for _ in range(3)] == [True, True, False]
        assert door.log_in(other, "192.0.2.1")
        assert door.log_in(one, "127.0.0.1")
        door.log_out(one)
        door.log_out(one)
        assert door.log_in(one, "192.0.2.1")
        door.reload(make_settings(tmp_path, limits={"connections_per_account": 0}))
        assert all(door.log_in(one, "192.0.2.1") for _ in range(500))


async def test_mapped_addresses_are_what_they_map(tmp_path: Path) -> None:
    async with admission(tmp_path) as (door, directory, _):
        made = await directory.blocks.add(ip_network("::ffff:192.0.2.0/120"))
        assert str(made.network) == "192.0.2.0/24"
        assert door.enter("::ffff:192.0.2.7") is Denied.BLOCKED
        assert door.enter("192.0.2.7") is Denied.BLOCKED
        await directory.blocks.delete(ip_network("192.0.2.0/24"))
        assert door.enter("192.0.2.7") is None
