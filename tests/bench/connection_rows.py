"""What connections cost that wait: memory in IDLE, with TLS and with COMPRESS, and of SMTP."""

import time
from collections.abc import Callable

from tests.bench.clients import Imap, smtp_greeted
from tests.bench.imap_rows import connect
from tests.bench.rows import Row
from tests.bench.sides import Side

_OURS, _THEIRS = 1000, 500
_SMTP, _SMTP_THEIRS = 5000, 50


def _idle(side: Side, tls: bool) -> Imap:
    client = connect(side, 4, tls)
    client.command(b"SELECT INBOX")
    return client


def _compressed(side: Side) -> Imap:
    """As Thunderbird opens a folder: COMPRESS, SELECT, the list of flags."""
    client = connect(side, 4, side.ours)
    client.compress()
    client.command(b"SELECT INBOX")
    client.command(b"UID FETCH 1:* (FLAGS)")
    return client


def _memory(side: Side, opened: Callable[[], Imap]) -> float:
    """KiB a connection in IDLE, after five seconds of rest."""
    count = _OURS if side.ours else _THEIRS
    first = opened()
    time.sleep(0.5)
    before = side.memory()
    clients = []
    for _ in range(count):
        client = opened()
        client.write(b"zi IDLE\r\n")
        client.wait_for(b"+")
        clients.append(client)
    time.sleep(5)
    used = side.memory() - before
    for client in (first, *clients):
        client.close()
    time.sleep(1)
    return used / count / 1024


def memory(side: Side) -> float:
    """1,000 with TLS on ours, 500 without on the peer's."""
    return _memory(side, lambda: _idle(side, side.ours))


def compressed_memory(side: Side) -> float:
    """The same with COMPRESS on both."""
    return _memory(side, lambda: _compressed(side))


def smtp_memory(side: Side) -> float:
    """MiB for 5,000 sessions after EHLO, on ours half of them after STARTTLS. Postfix has a process
    for each and no TLS here; 50 of them are counted a hundred times.
    """
    count = _SMTP if side.ours else _SMTP_THEIRS
    first = smtp_greeted(side.smtp_port, side.ours)
    time.sleep(0.5)
    before = side.smtp_memory()
    clients = [smtp_greeted(side.smtp_port, side.ours and n % 2 == 0) for n in range(count)]
    time.sleep(5)
    used = side.smtp_memory() - before
    for client in (first, *clients):
        client.close()
    time.sleep(1)
    return used * (_SMTP / count) / 1024**2


ROWS = [
    Row(
        "memory of 5,000 SMTP sessions (ours half TLS)",
        "MiB",
        smtp_memory,
        limit=150,
        fresh=True,
    ),
    Row(
        "memory an idle connection (ours TLS)",
        "KiB",
        memory,
        at_most=0.08,
        limit=40,
        fresh=True,
    ),
    Row(
        "memory an idle connection, COMPRESS (ours TLS)",
        "KiB",
        compressed_memory,
        limit=60,
        fresh=True,
    ),
]
