"""Messages on their way through the queue while the server is killed: who got which, how often.

The sink notes for each copy whether the client went on after the final reply: then it has heard
it, and another copy would be the server's mistake. Copies after a reply that was lost are what SMTP
can't avoid (RFC 1047).
"""

import asyncio
import itertools
import random
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from mailserver import control
from tests.support.dns_thread import dns_in_thread
from tests.support.server import PASSWORD, ServerProcess, configuration
from tests.support.smtp_sink import Received, Sink, smtp_sink

ADA = "ada@example.test"
DOMAINS = 8
SUBMITTERS = 4
START_SECONDS = 30
PATIENCE = 120.0
EXTRA = """
[dns]
nameservers = ["{dns}"]
[outbound]
port = {port}
[submission]
messages_per_hour = 0
messages_per_day = 0
recipients_per_hour = 0
recipients_per_day = 0
[limits]
messages_per_minute_per_address = 1000000
"""


@contextmanager
def sink_in_thread(sink: Sink) -> Iterator[Sink]:
    """Serves from a loop of its own, so that a busy test delays nobody."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with smtp_sink(sink):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the sink did not start"
        yield sink
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


class Submitters:
    """Clients that submit messages with a token each; what was acknowledged is in `taken`."""

    def __init__(self, server: ServerProcess, messages: int) -> None:
        self._server, self._messages = server, messages
        self._tokens = itertools.count()
        self._lock = threading.Lock()
        self.taken: set[str] = set()
        self.asked = 0
        self._threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(SUBMITTERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)

    def have(self, count: int) -> bool:
        """So many were acknowledged."""
        return len(self.taken) >= count

    @property
    def done(self) -> bool:
        return len(self.taken) >= self._messages

    def _work(self) -> None:
        end = time.monotonic() + PATIENCE * 20
        while not self.done and time.monotonic() < end:
            try:
                with smtplib.SMTP(
                    "127.0.0.1", self._server.port("submission"), timeout=20
                ) as client:
                    client.login(ADA, PASSWORD)
                    self._submit(client)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)  # the server was killed; what got no answer may have arrived

    def _submit(self, client: smtplib.SMTP) -> None:
        while not self.done:
            with self._lock:
                token = f"t{next(self._tokens)}"
                self.asked += 1
            to = f"{token}@d{random.randrange(DOMAINS)}.test"
            client.sendmail(ADA, [to], f"From: {ADA}\r\nSubject: {token}\r\n\r\ntext\r\n")
            with self._lock:
                self.taken.add(token)


def killed_while_sending(folder: Path, messages: int, kills: int, seed: int) -> str:
    """Submits, kills, starts again, and compares; returns the counts in words."""
    chance = random.Random(seed)
    sink = Sink(lose_replies=0.01, chance=chance)
    with ExitStack() as stack:
        dns = stack.enter_context(dns_in_thread())
        stack.enter_context(sink_in_thread(sink))
        for number in range(DOMAINS):
            dns.mail_domain(f"d{number}.test", (10, f"mx{number}.test", "127.0.0.1"))
        extra = EXTRA.format(dns=dns.endpoint, port=sink.endpoint.port)
        server = ServerProcess(folder, configuration(extra=extra))
        stack.callback(_end, server)
        server.start(START_SECONDS)
        server.add_account(ADA)
        at = sorted(chance.randrange(1, messages) for _ in range(kills))
        with Submitters(server, messages) as submitters:
            for count in at:
                _until(partial(submitters.have, count))
                server.kill()
                server.start(START_SECONDS)
            _until(lambda: submitters.done)
        _drain(server)
        return compared(submitters.taken, sink.received, submitters.asked, kills)


def compared(taken: set[str], received: list[Received], asked: int, kills: int) -> str:
    """Nothing that was acknowledged is missing; no copy follows one whose reply was heard."""
    copies: dict[str, list[Received]] = {}
    for one in received:
        copies.setdefault(one.recipients[0].partition("@")[0], []).append(one)
    missing = taken - copies.keys()
    assert not missing, f"{len(missing)} acknowledged messages did not arrive"
    again = {token: found for token, found in copies.items() if len(found) > 1}
    doubled = [t for t, found in again.items() if any(one.heard for one in found[:-1])]
    assert not doubled, f"{len(doubled)} messages sent again although their reply was heard"
    lost = sum(not one.heard for one in received)
    return (
        f"{kills} kills, {len(taken):,} messages acknowledged of {asked:,}, "
        f"{len(again):,} came again behind {lost:,} replies that were lost"
    )


def _drain(server: ServerProcess) -> None:
    """Tries what waits for another attempt, until the queue is empty."""
    end = time.monotonic() + PATIENCE
    while asyncio.run(_call(server, "queue.list")):
        assert time.monotonic() < end, "the queue does not become empty"
        asyncio.run(_call(server, "queue.retry", id=None))
        time.sleep(0.5)


async def _call(server: ServerProcess, operation: str, **args: object) -> object:
    return await control.call(server.data, operation, args, lambda *_: None)


def _until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE * 10
    while not check():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def _end(server: ServerProcess) -> None:
    if server.process is not None and server.process.poll() is None:
        server.kill()
