"""The blocklist: what commands blocked is kept, found by address, and ends at its time."""

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.fields import Network
from net.networks import NetworkTable
from net.threads import Offload
from storage.blocks import Block
from storage.directory import Directory
from storage.directory_values import Absent, AlreadyExists, NotAllowed, Source
from tests.support.directories import MovedClock, make_settings, open_directory, own_database

NET, OTHER = ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_blocks_outlive_a_restart(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            made = await directory.blocks.add(NET, reason="spam")
            await directory.blocks.add(OTHER, until=2e9)
            with pytest.raises(AlreadyExists):
                await directory.blocks.add(NET)
        async with open_directory(settings) as directory:
            blocks = directory.blocks
            assert blocks.covering("192.0.2.9") == made == blocks.listed()[0]
            found = blocks.covering("2001:db8::5")
            assert found is not None and found.until == 2e9
            assert blocks.covering("192.0.3.1") is None
            await blocks.delete(NET)
            assert blocks.covering("192.0.2.9") is None
            with pytest.raises(Absent):
                await blocks.delete(NET)


async def test_a_block_ends_at_its_time_and_may_be_made_again(tmp_path: Path) -> None:
    clock, offload = MovedClock(), Offload()
    directory = await Directory.open(make_settings(tmp_path), clock, offload)
    blocks = directory.blocks
    with pytest.raises(NotAllowed):
        await blocks.add(NET, until=clock.now())
    await blocks.add(NET, until=clock.now() + 60)
    assert blocks.covering("::ffff:192.0.2.1") is not None
    clock.seconds += 61
    assert blocks.covering("192.0.2.1") is None
    assert blocks.listed() == []
    await blocks.add(NET)
    assert blocks.covering("192.0.2.1") is not None
    await directory.close()
    offload.close()


async def test_networks_of_the_configuration(tmp_path: Path) -> None:
    section: dict[str, Any] = {"blocklist": {"networks": ["192.0.2.0/25"]}}
    settings = make_settings(tmp_path, **section)
    async with open_directory(settings) as directory:
        blocks, told = directory.blocks, list[Block]()
        blocks.on_change(told.append)
        (block,) = blocks.listed()
        assert (str(block.network), block.source) == ("192.0.2.0/25", Source.CONFIG)
        assert [blocks.covering(at) is None for at in ("192.0.2.1", "192.0.2.200")] == [False, True]
        with pytest.raises(NotAllowed):
            await blocks.delete(ip_network("192.0.2.0/25"))
        section["blocklist"]["networks"] = ["198.51.100.0/24"]
        directory.reload(make_settings(tmp_path, **section))
        assert blocks.covering("192.0.2.1") is None
        assert [str(one.network) for one in told] == ["198.51.100.0/24"]


networks = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.tuples(st.integers(2**64, 2**128 - 1), st.integers(0, 128)),
).map(lambda one: ip_network((ip_address(one[0]), one[1]), strict=False))


@given(st.lists(networks, max_size=20), st.data())
def test_a_table_finds_what_a_search_finds(chosen: list[Network], data: st.DataObject) -> None:
    table: NetworkTable[Network] = NetworkTable()
    for network in chosen:
        table.put(network, network)
    gone = data.draw(st.sets(st.sampled_from(chosen))) if chosen else set()
    for network in gone:
        table.remove(network)
    left = set(chosen) - gone
    edges = [end for one in chosen for end in (one[0], one[-1])] or [ip_address("192.0.2.1")]
    address = data.draw(st.sampled_from(edges))
    if str(address).startswith("::ffff:"):
        return
    assert set(table.holding(str(address))) == {one for one in left if address in one}
