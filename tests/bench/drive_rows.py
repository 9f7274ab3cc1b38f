"""Downloads of an attachment by a signed link: all of 25 MB in base64, and pieces from the middle;
ours alone.
"""

import atexit
import http.client
import imaplib
import random
import statistics
import tempfile
import time
from base64 import encodebytes
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.server import PASSWORD, ServerProcess, configuration

SIZE = 25 * 1000 * 1000
PIECE = 64 * 1024
PIECES = 300
_OWNER = "ada@example.test"


@cache
def _link() -> tuple[int, str]:
    """The port, and the path of a link to the attachment; the server ends with the program."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    server = stack.enter_context(ServerProcess(folder, configuration()))
    server.perform("account.add", address=_OWNER, password=PASSWORD)
    head = (
        b"Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    )
    part = b"--b\r\nContent-Disposition: attachment; filename=large.bin\r\n"
    part += b"Content-Transfer-Encoding: base64\r\n\r\n"
    data = encodebytes(random.Random(1).randbytes(SIZE)).replace(b"\n", b"\r\n")
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as client:
        client.login(_OWNER, PASSWORD)
        client.append("INBOX", "", "", head + part + data + b"--b--\r\n")
    (item,) = server.perform("drive.list", address=_OWNER)
    made = urlsplit(server.perform("drive.link", address=_OWNER, item=item["id"])["url"])
    return server.port("http"), f"{made.path}?{made.query}"


def _connection() -> tuple[http.client.HTTPConnection, str]:
    port, path = _link()
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60), path


def whole(side: Side) -> float:
    """MB a second."""
    if not side.ours:
        return 0.0
    connection, path = _connection()
    begin = time.perf_counter()
    connection.request("GET", path)
    assert len(connection.getresponse().read()) == SIZE
    taken = time.perf_counter() - begin
    connection.close()
    return SIZE / 1e6 / taken


def piece(side: Side) -> float:
    """Milliseconds of a piece; median."""
    if not side.ours:
        return 0.0
    connection, path = _connection()
    places, times = random.Random(2), []
    for _ in range(PIECES):
        start = places.randrange(SIZE - PIECE)
        begin = time.perf_counter()
        connection.request("GET", path, headers={"Range": f"bytes={start}-{start + PIECE - 1}"})
        assert len(connection.getresponse().read()) == PIECE
        times.append((time.perf_counter() - begin) * 1000)
    connection.close()
    return statistics.median(times)


ROWS = [
    Row("drive download of 25 MB in base64", "MB/s", whole, least=50),
    Row("drive 64 KiB from the middle of it", "ms", piece, limit=20),
]
