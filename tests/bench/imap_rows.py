"""What an IMAP client waits for."""

import asyncio
import itertools
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable

import uvloop

from tests.bench.clients import Imap, message
from tests.bench.rows import Row
from tests.bench.sides import PASSWORD, Side, user

BIG = b"Big"
BIG_COUNT = 10_000
_numbers = itertools.count()
_FULL = b"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"


def connect(side: Side, number: int = 1, tls: bool = False) -> Imap:
    client = Imap(side.imaps_port if tls else side.imap_port, tls)
    client.login(user(number), PASSWORD)
    return client


def fill(side: Side) -> None:
    """A mailbox of 10,000 messages of 4 KiB in b1's account, once a side."""
    client = connect(side)
    status = client.command(b'LIST "" Big')
    if b"* LIST" in status:
        return
    client.command(b"CREATE Big")
    for start in range(0, BIG_COUNT, 200):
        tags = []
        for _ in range(200):
            body = message(4096, next(_numbers))
            tags.append(client.send(b"APPEND Big {%d+}\r\n%b" % (len(body), body)))
        client.finish(tags[-1])
        del start
    client.command(b"SELECT Big")
    client.command(b"FETCH 1:* " + _FULL)  # the peer fills its cache, as after a first opening
    client.close()


def selected(side: Side, number: int = 1, mailbox: bytes = BIG) -> Imap:
    client = connect(side, number)
    client.command(b"SELECT " + mailbox)
    return client


def together(count: int, work: Callable[[int], None]) -> float:
    """Seconds until `count` threads have done `work`."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.perf_counter() - start


def append(side: Side, connections: int, total: int) -> float:
    """Appended messages a second, all to one mailbox."""
    clients = [connect(side, 2) for _ in range(connections)]
    bodies = [message(4096, next(_numbers)) for _ in range(total)]
    each = total // connections

    def work(number: int) -> None:
        for body in bodies[number * each : (number + 1) * each]:
            clients[number].append(b"INBOX", body)

    seconds = together(connections, work)
    for client in clients:
        client.close()
    return each * connections / seconds


def fetch_flags(side: Side) -> float:
    """Milliseconds for FETCH 1:* (UID FLAGS) of 10,000."""
    client = selected(side)
    start = time.perf_counter()
    client.command(b"FETCH 1:* (UID FLAGS)")
    seconds = time.perf_counter() - start
    client.close()
    return seconds * 1000


def list_speed(side: Side, items: bytes) -> float:
    """Messages a second of a list of 10,000, asked for before."""
    client = selected(side)
    client.command(b"FETCH 1:* " + items)
    start = time.perf_counter()
    client.command(b"FETCH 1:* " + items)
    seconds = time.perf_counter() - start
    client.close()
    return BIG_COUNT / seconds


def list_cpu(side: Side, items: bytes) -> float:
    """Microseconds of server CPU a message of the list; ten lists, since ticks are coarse."""
    client = selected(side)
    before = side.cpu()
    for _ in range(10):
        client.command(b"FETCH 1:* " + items)
    used = side.cpu() - before
    client.close()
    return used / (10 * BIG_COUNT) * 1e6


def bodies(side: Side, pipelined: bool) -> float:
    """Messages a second of UID FETCH BODY.PEEK[], a command each."""
    client = selected(side)
    uids = _uids(client)[:1000]
    commands = [b"UID FETCH %d BODY.PEEK[]" % uid for uid in uids]
    start = time.perf_counter()
    if pipelined:
        client.finish(client.send_many(commands))
    else:
        for command in commands:
            client.command(command)
    seconds = time.perf_counter() - start
    client.close()
    return len(commands) / seconds


def _uids(client: Imap) -> list[int]:
    return [int(uid) for uid in re.findall(rb"UID (\d+)", client.command(b"FETCH 1:1000 (UID)"))]


def store_one(side: Side, connections: int, each: int) -> float:
    """STOREs of one flag a second, each answered."""
    clients = [selected(side) for _ in range(connections)]

    def work(number: int) -> None:
        for index in range(each):
            sign = b"+" if index % 2 == 0 else b"-"
            line = b"STORE %d %bFLAGS.SILENT (\\Flagged)" % (number * 100 + index // 2 + 1, sign)
            clients[number].command(line)

    seconds = together(connections, work)
    for client in clients:
        client.close()
    return connections * each / seconds


def store_all(side: Side) -> float:
    """Milliseconds of STORE 1:10000, on and off."""
    client = selected(side)
    start = time.perf_counter()
    client.command(b"STORE 1:10000 +FLAGS.SILENT (\\Answered)")
    client.command(b"STORE 1:10000 -FLAGS.SILENT (\\Answered)")
    seconds = time.perf_counter() - start
    client.close()
    return seconds * 500


def logins(side: Side) -> float:
    """Logins and logouts a second, ten at a time; one loop, since threads would be the limit."""

    async def session(number: int) -> None:
        login = f"a LOGIN {user(number + 5)} {PASSWORD}\r\n".encode()
        for _ in range(100):
            reader, writer = await asyncio.open_connection("127.0.0.1", side.imap_port)
            await reader.readline()
            writer.write(login)
            while not (line := await reader.readline()).startswith(b"a "):
                pass
            assert line.startswith(b"a OK"), line
            writer.write(b"b LOGOUT\r\n")
            while not (line := await reader.readline()).startswith(b"b OK"):
                assert line, "the server hung up"
            writer.close()

    async def load() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(session(number))

    start = time.perf_counter()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(load())
    return 1000 / (time.perf_counter() - start)


def idle(side: Side) -> float:
    """Milliseconds from the 250 of a delivery to EXISTS on an idle connection; median of 20."""
    client = selected(side, 3, b"INBOX")
    client.write(b"zi IDLE\r\n")
    client.wait_for(b"+")
    times = [_accepted_to_exists(side, client) for _ in range(20)]
    client.close()
    return statistics.median(times)


def _accepted_to_exists(side: Side, client: Imap) -> float:
    arrived: list[float] = []

    def wait() -> None:
        client.wait_for(b"EXISTS")
        arrived.append(time.perf_counter())

    waiter = threading.Thread(target=wait)
    waiter.start()
    accepted = _send_one(side.smtp_port, user(3))
    waiter.join()
    return max(0.0, arrived[0] - accepted) * 1000


def _send_one(port: int, recipient: str) -> float:
    """When the message was accepted."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        file = connection.makefile("rwb")

        def line(text: bytes) -> None:
            file.write(text)
            file.flush()
            while file.readline()[3:4] == b"-":
                pass

        file.readline()
        line(b"EHLO load.test\r\n")
        line(b"MAIL FROM:<sender@world.test>\r\n")
        line(b"RCPT TO:<%b>\r\n" % recipient.encode())
        line(b"DATA\r\n")
        line(message(4096, next(_numbers)) + b".\r\n")
        return time.perf_counter()


ROWS = [
    Row("APPEND, 1 connection", "msg/s", lambda s: append(s, 1, 200), at_least=1),
    Row("APPEND, 20 connections to one mailbox", "msg/s", lambda s: append(s, 20, 600), at_least=4),
    Row("FETCH 1:* (UID FLAGS) of 10,000", "ms", fetch_flags, at_most=0.5, prepare=fill),
    Row(
        "FETCH 1:* full list of 10,000",
        "msg/s",
        lambda s: list_speed(s, _FULL),
        at_least=1.5,
        prepare=fill,
    ),
    Row(
        "the same, server CPU",
        "us/msg",
        lambda s: list_cpu(s, _FULL),
        at_most=0.5,
        prepare=fill,
    ),
    Row(
        "BODY.PEEK[] of 1,000, one at a time",
        "msg/s",
        lambda s: bodies(s, False),
        at_least=1,
        prepare=fill,
    ),
    Row(
        "BODY.PEEK[] of 1,000, pipelined",
        "msg/s",
        lambda s: bodies(s, True),
        at_least=1,
        prepare=fill,
    ),
    Row(
        "STORE one flag, 1 connection",
        "cmd/s",
        lambda s: store_one(s, 1, 200),
        at_least=1,
        prepare=fill,
    ),
    Row(
        "STORE one flag, 10 connections",
        "cmd/s",
        lambda s: store_one(s, 10, 60),
        at_least=3,
        prepare=fill,
    ),
    Row("STORE 1:10000", "ms", store_all, at_most=0.2, prepare=fill),
    Row("login and logout, 10 at a time", "logins/s", logins, at_least=2),
    Row("IDLE: accepted to EXISTS", "ms", idle, at_most=0.05, limit=5),
]
