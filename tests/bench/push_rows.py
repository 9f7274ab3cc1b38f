"""What streams of events cost that wait (EventSource without TLS), and how soon they are told.

The other side has nothing of the kind, so that its figure is 0.
"""

import base64
import socket
import time

from tests.bench.imap_rows import connect
from tests.bench.rows import Row
from tests.bench.sides import PASSWORD, USERS, Side, user

_STREAMS = 5000
_TOLD = 500
_PATH = b"/jmap/events?types=*&closeafter=no&ping=300"


def _stream(side: Side, number: int) -> socket.socket:
    """A stream that has begun, with the fields that a browser sends."""
    login = base64.b64encode(f"{user(number)}:{PASSWORD}".encode())
    client = socket.create_connection(("127.0.0.1", side.http_port), timeout=60)
    client.sendall(
        b"GET %b HTTP/1.1\r\nHost: mx.bench.test\r\nAccept: text/event-stream\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
        b"Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
        b"Cache-Control: no-cache\r\nConnection: keep-alive\r\n"
        b"Authorization: Basic %b\r\n\r\n" % (_PATH, login)
    )
    _wait_for(client, b"id: ")
    return client


def _wait_for(client: socket.socket, words: bytes) -> None:
    seen = b""
    while words not in seen:
        data = client.recv(4096)
        assert data, seen
        seen += data


def _closed(side: Side, clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()
    time.sleep(1)


def stream_memory(side: Side) -> float:
    """MiB by which 5,000 streams make the server larger, after five seconds of rest."""
    if not side.ours:
        return 0.0
    first = _stream(side, 0)
    time.sleep(0.5)
    before = side.memory()
    clients = [_stream(side, number % USERS) for number in range(_STREAMS)]
    time.sleep(5)
    used = side.memory() - before
    _closed(side, [first, *clients])
    return used / 1024**2


def server_memory(side: Side) -> float:
    """MiB of the whole server with them."""
    if not side.ours:
        return 0.0
    clients = [_stream(side, number % USERS) for number in range(_STREAMS)]
    time.sleep(5)
    used = side.memory()
    _closed(side, clients)
    return used / 1024**2


def told(side: Side) -> float:
    """Milliseconds from the answer to a CREATE until the last of 500 streams of the account has
    heard of it; up to 100 of them gather changes.
    """
    if not side.ours:
        return 0.0
    clients = [_stream(side, 3) for _ in range(_TOLD)]
    imap = connect(side, 3)
    imap.command(b"SELECT INBOX")
    imap.command(b"CREATE told%d" % time.monotonic_ns())
    begin = time.perf_counter()
    for client in clients:
        _wait_for(client, b"event: state")
    took = time.perf_counter() - begin
    imap.close()
    _closed(side, clients)
    return took * 1000


ROWS = [
    Row("memory of 5,000 streams of events", "MiB", stream_memory, limit=150, fresh=True),
    Row("memory of a server with 5,000 streams", "MiB", server_memory, limit=150, fresh=True),
    Row("a change told to 500 streams of an account", "ms", told, limit=500),
]
