"""The sending side on a real store: what a delivery queued leaves, and what comes back as mail."""

import asyncio
import sys
from collections.abc import AsyncIterator
from hashlib import blake2b
from pathlib import Path
from random import Random

import pytest

from config.clock import SystemClock
from config.logging import get_logger
from config.settings import Settings
from filters.delivery import Delivery as MailDelivery
from net.dns import Resolver
from net.threads import Offload
from smtp.outbound.runner import Outbound
from storage.directory import Directory
from storage.queue_file import read_queue_file
from storage.store import Store
from storage.values import AccountId, Content, Delivery, LocalRecipient, QueuedRecipient
from tests.smtp.outbound.conftest import SHORT
from tests.support.directories import PASSWORD, make_settings, own_database
from tests.support.dns_server import DnsServer, dns_server
from tests.support.queue_harness import claim_one
from tests.support.smtp_sink import Sink, smtp_sink

ROOT = Path(__file__).parents[3]
ADA = "ada@example.test"
DATA = b"Subject: outward\r\n\r\n.hello\r\n"


class House:
    """A store, a directory with one account, and a sending side; `restart` opens them anew."""

    def __init__(self, settings: Settings, dns: DnsServer) -> None:
        self.settings, self.dns, self.clock = settings, dns, SystemClock()

    async def open(self) -> None:
        settings = self.settings
        self.offload = Offload(processes=1)
        self.store = await Store.open(
            settings.data_dir,
            settings.data_dir / "mail",
            settings.store.database.get_secret_value(),
            self.offload,
            self.clock,
            settings.hostname,
        )
        self.directory = await Directory.open(settings, self.clock, self.offload)
        log = get_logger("outbound")
        self.outbound = Outbound(
            settings,
            self.store,
            Resolver([self.dns.endpoint], lifetime=1.0),
            MailDelivery(settings, self.directory, self.store, self.clock, log),
            self.clock,
            self.offload,
            log,
            timeouts=SHORT,
            chance=Random(1),
            grace=0.5,
        )

    async def close(self) -> None:
        await self.outbound.stop()
        await self.directory.close()
        await self.store.close()
        await asyncio.to_thread(self.offload.close)

    async def add_account(self) -> AccountId:
        account = await self.directory.add_account(ADA, PASSWORD)
        await self.store.add_account(account.id)
        return account.id

    async def put(self, *recipients: str, content: Content | None = None, **more: object) -> None:
        await self.store.deliver(
            Delivery(
                content=content or Content(len(DATA), digest(DATA), data=DATA),
                sender=ADA,
                received_at=self.clock.now(),
                trace="t1",
                queued=[QueuedRecipient(address) for address in recipients],
                **more,  # type: ignore[arg-type]
            )
        )

    async def empty(self) -> None:
        """Until nothing is queued."""
        for _ in range(1000):
            if not [entry async for entry in self.store.queue.entries()]:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still queued")


def digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with smtp_sink(Sink()) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path, sink: Sink) -> AsyncIterator[House]:
    async with own_database(request.param) as database, dns_server() as dns:
        dns.mail_domain("there.test", (10, "mx.there.test", "127.0.0.1"))
        outbound = {"port": sink.endpoint.port}
        settings = make_settings(tmp_path, database, outbound=outbound, listen={"smtp": []})
        settings.data_dir.mkdir()
        made = House(settings, dns)
        await made.open()
        yield made
        await made.close()


async def test_refused_recipient_comes_back_to_the_inbox(house: House, sink: Sink) -> None:
    account = await house.add_account()
    sink.refuse["nobody@there.test"] = "550 5.1.1 no such user"
    await house.outbound.start()
    await house.put("nobody@there.test", "bob@there.test")
    await house.empty()
    assert sink.received[0].recipients == ["bob@there.test"]
    assert sink.received[0].data == DATA
    inbox = await house.store.mailbox(account, "INBOX")
    rows = [row async for piece in house.store.rows(account, inbox.id, [1]) for row in piece]
    body = await house.store.read_body(account, rows[0].blob, inbox.id, 1)
    assert b"550 5.1.1 no such user" in body
    assert b"Return-Path: <>" in body


async def test_local_and_outside_recipients_of_one_message(house: House, sink: Sink) -> None:
    account = await house.add_account()
    prefix = b"Received: from x by y; now\r\n"
    content = Content(len(prefix + DATA), digest(DATA), prefix, DATA)
    await house.outbound.start()
    await house.put("bob@there.test", content=content, local=[LocalRecipient(account, ADA)])
    await sink.wait()
    assert sink.received[0].data == prefix + DATA
    assert (await house.store.mailbox(account, "INBOX")).messages == 1


async def test_spooled_message_goes_out(house: House, sink: Sink) -> None:
    data = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" * 30_000
    path = house.store.spool_dir / "spooled"
    await house.offload.disk(path.write_bytes, data)
    prefix = b"Received: from x by y; now\r\n"
    content = Content(len(prefix + data), digest(data), prefix, path=path)
    await house.outbound.start()
    await house.put("bob@there.test", content=content)
    await sink.wait()
    assert sink.received[0].data == prefix + data
    await house.empty()
    assert await house.offload.disk(lambda: list(house.store.spool_dir.iterdir())) == []


async def test_claim_of_an_ended_process_is_sent_after_the_next_start(
    house: House, sink: Sink
) -> None:
    await house.put("bob@there.test")
    assert await claim_one(house.store.queue) is not None
    await house.close()
    await house.open()
    await house.outbound.start()
    await sink.wait()
    await house.empty()


@pytest.mark.parametrize(("stall_at", "copies"), [("MAIL", 1), ("DATA", 1), ("END", 2)])
async def test_kill_while_sending_loses_nothing(
    tmp_path: Path, sink: Sink, stall_at: str, copies: int
) -> None:
    async with dns_server() as dns:
        dns.mail_domain("there.test", (10, "mx.there.test", "127.0.0.1"))
        outbound = {"port": sink.endpoint.port}
        settings = make_settings(tmp_path, outbound=outbound, listen={"smtp": []})
        settings.data_dir.mkdir()
        house = House(settings, dns)
        await house.open()
        await house.put("bob@there.test")
        await house.close()

        sink.stall_at = stall_at
        arguments = map(str, (tmp_path, dns.endpoint.port, sink.endpoint.port))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.outbound_process", *arguments, cwd=ROOT
        )
        await asyncio.wait_for(sink.stalled.wait(), 20)
        process.kill()
        await process.wait()

        sink.stall_at = ""
        await house.open()
        await house.outbound.start()
        await house.empty()
        await house.close()
        # The copy whose acceptance nobody heard is the one that SMTP can't avoid (RFC 1047).
        assert len(sink.received) == copies


async def test_file_of_a_delivery_can_be_read_again(house: House) -> None:
    await house.put("bob@there.test", "ann@there.test", envid="e", smtputf8=True)
    (path,) = await house.offload.disk(
        lambda: list((house.settings.data_dir / "queue").glob("*.msg"))
    )
    file = await house.offload.disk(read_queue_file, path)
    assert [r.address for r in file.envelope.recipients] == ["bob@there.test", "ann@there.test"]
    assert (file.envelope.envid, file.envelope.smtputf8, file.size) == ("e", True, len(DATA))
