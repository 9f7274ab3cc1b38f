"""Limits of the receiving listeners: connections, time, memory, stopping; and that others go on."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from filters.blocklist import Blocklist
from filters.context import Context, Kind, Peer
from smtp.budget import Budget
from smtp.timeouts import Timeouts
from tests.support.smtp_receiving import ADA, Client, Receiving, receiving, without_id

STRANGERS: dict[str, Any] = {"filters": {"local_networks": []}}
QUICK = replace(Timeouts(), stop=1.0, linger=0.2)


async def test_connections_of_one_address_are_limited(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"connections_per_address": 3}, **STRANGERS) as running:
        clients = [await running.client() for _ in range(3)]
        for client in clients:
            assert (await client.reply())[:3] == "220"
        refused = await running.client()
        assert (
            without_id(await refused.reply()) == "421 4.7.0 Too many connections from your address"
        )
        assert await refused.closed()
        await clients[0].say("QUIT")
        assert await clients[0].closed()
        assert (await (await running.client()).reply())[:3] == "220"


async def test_local_networks_are_not_limited(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"connections_per_address": 1}) as running:
        for _ in range(3):
            assert (await (await running.client()).reply())[:3] == "220"


async def test_connections_in_all_are_limited(tmp_path: Path) -> None:
    async with receiving(tmp_path, max_connections=2) as running:
        first, second, third = [await running.client() for _ in range(3)]
        assert [(await one.reply())[:3] for one in (first, second)] == ["220", "220"]
        assert (await third.reply())[:9] == "421 4.3.2"


# A process of its own: in a thread it would fight the server for the interpreter. Refused
# connections are reset, since TIME_WAIT would use up the machine's ports.
FLOOD = """
import socket, struct, sys
kept, refused = [], 0
for _ in range(5000):
    one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
    if one.recv(3) == b"220":
        kept.append(one)
    else:
        refused += 1
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
print(len(kept), refused, flush=True)
sys.stdin.read()
"""


async def test_five_thousand_connections_from_one_address(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"connections_per_address": 50}, **STRANGERS) as running:
        early = await running.client()
        await early.begin()
        port = str(running.at().port)
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOOD, port, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert flood.stdin is not None and flood.stdout is not None
        assert (await early.say("Subject: x\r\n\r\n."))[:3] == "250"
        assert await flood.stdout.readline() == b"49 4951\n"
        assert running.server.connections == 50
        assert (await early.say("NOOP"))[:3] == "250"
        flood.stdin.close()
        await flood.wait()
        early.close()
        await running.quiet()
        assert (await (await running.client()).reply())[:3] == "220"


async def test_blocked_networks(tmp_path: Path) -> None:
    blocked: dict[str, Any] = {"blocklist": {"networks": ["127.0.0.0/8"]}}
    async with receiving(tmp_path, **blocked) as running:
        client = await running.client()
        assert without_id(await client.reply()) == "554 5.7.1 Your network is blocked"
        assert await client.closed()
        with pytest.raises(OSError):  # before the handshake nothing can be said
            await running.client("submissions")


async def test_a_block_ends_what_is_open_and_its_end_lets_in_again(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client, blocks = await running.client(), running.directory.blocks
        await client.greet()
        await blocks.add(ip_network("127.0.0.0/8"))
        assert await ending(client) == "421 4.7.0 Your network is blocked"
        assert (await (await running.client()).reply())[:9] == "554 5.7.1"
        await blocks.delete(ip_network("127.0.0.0/8"))
        assert (await (await running.client()).reply())[:3] == "220"


async def test_the_filter_asks_for_the_peer_that_the_session_knows(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        await running.directory.blocks.add(ip_network("192.0.2.0/24"))
        block = Blocklist(running.directory)
        refused = [
            (await block.connect(Context(Kind.MX, Peer(address)))).code
            for address in ("192.0.2.1", "192.0.3.1")
        ]
        assert refused == [554, 0]


async def test_rate_of_messages(tmp_path: Path) -> None:
    limits = {"messages_per_minute_per_address": 3}
    async with receiving(tmp_path, limits=limits, **STRANGERS) as running:
        client = await running.client()
        await client.greet()
        answers = []
        for _ in range(4):
            answers.append((await client.say("MAIL FROM:<a@b.test>"))[:9])
            await client.say("RSET")
        assert answers == ["250 2.1.0"] * 3 + ["450 4.7.1"]


async def ending(client: Client) -> str:
    """The last reply before the server closes."""
    answer = await client.reply()
    assert await client.closed()
    return answer


@pytest.mark.parametrize("sent", [b"", b"MAIL FROM:<a@b", b"x"])
async def test_half_a_command(tmp_path: Path, sent: bytes) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, command=0.2)) as running:
        client = await running.client()
        await client.greet()
        client.write(sent)
        expected = "closing connection: no complete command within 0.2 seconds"
        assert await ending(client) == f"421 4.4.2 mx.example.test {expected}"
        await running.quiet()


async def test_dripping_a_command_gains_no_time(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, command=0.3)) as running:
        client = await running.client()
        await client.greet()

        async def drip() -> None:
            while not client.reader.at_eof():
                client.write(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert (await client.reply())[:9] == "421 4.4.2"
        dripping.cancel()


async def test_a_reset_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        client.reset()
        await running.quiet()
    assert "failed" not in capsys.readouterr().out


async def test_silence_in_data(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, block=0.2)) as running:
        client = await running.client()
        await client.begin()
        client.write(b"Subject: x\r\n\r\n" + b"y" * 2_000_000)
        assert "no message data within 0.2 seconds" in await ending(client)
        await running.quiet()
        assert list(running.store.spool_dir.iterdir()) == []


async def test_dripping_data(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, block=0.2, data=0.5)) as running:
        client = await running.client()
        await client.begin()

        async def drip() -> None:
            while True:
                client.write(b"y")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        assert "message data not complete" in await client.reply()
        dripping.cancel()
        assert running.store.delivered == []


async def test_silence_in_bdat(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, block=0.2)) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        client.write(b"BDAT 2000000 LAST\r\n" + b"y" * 1_500_000)
        assert "no message data" in await ending(client)
        await running.quiet()
        assert list(running.store.spool_dir.iterdir()) == []
        assert running.server._budget.used == 0


async def test_silence_in_auth(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, auth=0.2)) as running:
        client = await running.client("submissions")
        await client.greet()
        await client.say("AUTH LOGIN")
        assert "no authentication response within 0.2" in await ending(client)


async def test_silence_instead_of_a_handshake(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, handshake=0.2)) as running:
        silent = Client(*await asyncio.open_connection("127.0.0.1", running.at("submissions").port))
        client = await running.client()
        await client.greet()
        assert (await client.say("STARTTLS"))[:3] == "220"
        assert await client.closed()
        assert await silent.closed()
        silent.close()
        await running.quiet()


async def test_replies_that_nobody_takes(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, reply=0.3)) as running:
        client = await running.client()
        await client.greet()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while running.server.connections:
            client.write(b"HELP\r\n" * 5000)
            await asyncio.sleep(0.01)
            if client.writer.transport.is_closing():
                break
        client.writer.transport.abort()
        await running.quiet()


async def test_delivery_has_no_deadline(tmp_path: Path) -> None:
    quick = replace(QUICK, command=0.2, block=0.2, data=0.2)
    async with receiving(tmp_path, timeouts=quick) as running:
        running.store.gate = asyncio.Event()
        client = await running.client()
        await client.begin()
        client.write(b"Subject: x\r\n\r\n.\r\n")
        await running.store.at_gate.wait()
        await asyncio.sleep(0.4)  # twice what each reading may take
        running.store.gate.set()
        assert (await client.reply())[:3] == "250"
        assert (await client.say("NOOP"))[:3] == "250"


async def fill(running: Receiving, size: int) -> Client:
    """A client that has sent `size` octets of a message and stays."""
    client = await running.client()
    await client.begin()
    client.write(b"Subject: x\r\n\r\n" + (b"f" * 76 + b"\r\n") * (size // 78))
    await client.writer.drain()
    return client


async def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, take = asyncio.Event(), Budget.take

    async def noted(budget: Budget, size: int) -> bool:
        full.set()
        return await take(budget, size)

    monkeypatch.setattr(Budget, "take", noted)
    async with receiving(
        tmp_path, limits={"memory": 1_000_000}, timeouts=replace(QUICK, memory=0.3)
    ) as running:
        holders = [await fill(running, 600_000) for _ in range(2)]
        await full.wait()
        late = await fill(running, 900_000)
        late.write(b".\r\n")
        assert (await late.reply()).startswith("452 4.3.1 Server is short of memory")
        assert running.server._budget.used <= 1_000_000
        for holder in holders:
            holder.write(b".\r\n")
        codes = [(await holder.reply())[:3] for holder in holders]
        assert "250" in codes
        assert (await late.say("NOOP"))[:3] == "250"
        async with asyncio.timeout(10):
            while running.server._budget.used:  # noqa: ASYNC110 - given back behind the answers
                await asyncio.sleep(0.01)


async def test_room_that_comes_with_the_end_of_the_wait_is_taken() -> None:
    budget = Budget(10, 0.0)
    assert await budget.take(8)
    waiting = asyncio.create_task(budget.take(6))
    asyncio.get_running_loop().call_soon(budget.give, 8)  # before the end, in the same turn
    assert await waiting
    assert budget.used == 6


async def test_the_budget_serves_in_order() -> None:
    budget = Budget(10, 5.0)
    assert await budget.take(8)
    waiting = [asyncio.create_task(budget.take(size)) for size in (6, 2)]
    await asyncio.sleep(0)
    assert not budget.take_now(1)
    budget.give(8)
    assert await asyncio.gather(*waiting) == [True, True]
    assert budget.used == 8
    budget.give(8)
    assert await budget.take(100)
    budget.give(100)
    assert budget.used == 0


async def test_one_who_gives_up_lets_others_pass() -> None:
    budget = Budget(10, 0.05)
    assert await budget.take(8)
    large = asyncio.create_task(budget.take(9))
    await asyncio.sleep(0)
    assert await large is False
    assert budget.take_now(2)
    cancelled = asyncio.create_task(budget.take(5))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    budget.give(10)
    assert budget.used == 0


async def test_stopping_lets_deliveries_end(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, stop=5.0)) as running:
        running.store.gate = asyncio.Event()
        idle, busy = await running.client(), await running.client()
        await idle.greet()
        await busy.begin()
        busy.write(b"Subject: x\r\n\r\n.\r\n")
        await running.store.at_gate.wait()
        stopping = asyncio.create_task(running.server.stop())
        assert await ending(idle) == "421 4.3.2 mx.example.test is shutting down"
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", running.at().port)
        running.store.gate.set()
        assert (await busy.reply())[:3] == "250"
        assert (await busy.reply())[:9] == "421 4.3.2"
        await stopping
        assert running.server.connections == 0


async def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with receiving(tmp_path, timeouts=replace(QUICK, stop=0.2)) as running:
        client = await running.client()
        await client.begin()
        client.write(b"Subject: x\r\n" + b"y" * 2_000_000)
        await client.writer.drain()
        await asyncio.sleep(0.05)
        await running.server.stop()
        assert running.server.connections == 0
        assert list(running.store.spool_dir.iterdir()) == []


async def test_a_flood_of_commands_leaves_others_their_turn(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        flooding, other = await running.client(), await running.client()
        await flooding.greet()
        await other.greet()
        flooding.write(b"NOOP\r\n" * 80_000)
        await asyncio.sleep(0)
        assert (await other.say("NOOP"))[:3] == "250"
        # the flood had at most a few turns by then
        answered = len(flooding.reader._buffer) // 14  # type: ignore[attr-defined]
        assert answered < 40_000


async def test_reload_changes_limits(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        assert "SIZE 52428800" in await client.greet()
        limits = running.settings.limits.model_copy(update={"message_size": 1000})
        running.server.reload(running.settings.model_copy(update={"limits": limits}))
        assert "SIZE 1000" in await client.say("EHLO x")
        assert (await client.say("MAIL FROM:<a@b.test> SIZE=2000"))[:3] == "552"
