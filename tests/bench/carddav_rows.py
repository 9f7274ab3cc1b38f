"""An address book of 1,000 cards over CardDAV, here and in Radicale, each in a process of its own
with one connection that is kept.
"""

import http.client
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.dav import card
from tests.support.jmap import ADA, basic
from tests.support.run import free_port
from tests.support.server import PASSWORD, ROOT, ServerProcess, configuration, until

CARDS, AGAIN = 1_000, 20
RADICALE = ROOT / "var" / "peers" / "bin" / "radicale"
MKCOL = (
    '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
    "<D:resourcetype><D:collection/><C:addressbook/></D:resourcetype></D:prop></D:set></D:mkcol>"
)
PRINCIPAL = '<D:propfind xmlns:D="DAV:"><D:prop><D:current-user-principal/></D:prop></D:propfind>'
SYNC = (
    '<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:sync-token>{}'
    "</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/>{}</D:prop>"
    "</D:sync-collection>"
)


@dataclass
class Book:
    """A book on a server, over one connection."""

    connection: http.client.HTTPConnection
    path: str

    def ask(self, method: str, path: str, body: str | bytes = b"", kind: str = "") -> bytes:
        fields = {**basic(), "Content-Type": kind or "application/xml", "Depth": "1"}
        self.connection.request(method, path, body, fields)
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status < 300, (answer.status, data)
        return data

    def put(self, number: int, name: str = "Ann") -> None:
        lines = (
            f"EMAIL;TYPE=HOME:ann{number}@world.test",
            "TEL;TYPE=CELL:+1 23",
            "NOTE:Some words",
        )
        data = card(f"uid-{number}", f"{name} {number}", *lines)
        self.ask("PUT", f"{self.path}{number}.vcf", data, "text/vcard")

    def fill(self) -> float:
        """Milliseconds a card."""
        begin = time.perf_counter()
        for number in range(CARDS):
            self.put(number)
        return (time.perf_counter() - begin) / CARDS * 1000

    def sync(self, token: str = "", more: str = "") -> str:
        """The next token."""
        said = self.ask("REPORT", self.path, SYNC.format(token, more)).decode()
        found = re.search(r"<(?:\w+:)?sync-token>([^<]+)<", said)
        assert found is not None
        return found[1]


@contextmanager
def book(side: Side) -> Iterator[Book]:
    """An empty one on a server of its own."""
    (ROOT / "var").mkdir(exist_ok=True)
    started = _ours if side.ours else _radicale
    with (
        tempfile.TemporaryDirectory(dir=ROOT / "var") as folder,
        started(Path(folder)) as (port, home),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        made = Book(connection, f"{home}bench/")
        if not side.ours:
            made.ask("PROPFIND", home, PRINCIPAL)  # makes the home
        made.ask("MKCOL", made.path, MKCOL)
        yield made
        connection.close()


@contextmanager
def _ours(folder: Path) -> Iterator[tuple[int, str]]:
    with ServerProcess(folder / "ours", configuration()) as server:
        server.perform("account.add", address=ADA, password=PASSWORD)
        yield server.port("http"), "/dav/books/A1/"


@contextmanager
def _radicale(folder: Path) -> Iterator[tuple[int, str]]:
    port = free_port()
    (folder / "users").write_text(f"{ADA}:{PASSWORD}\n")
    (folder / "config").write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n[logging]\nlevel = error\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder}/users\n"
        f"htpasswd_encryption = plain\ndelay = 0\n[storage]\nfilesystem_folder = {folder}/books\n"
    )
    running = subprocess.Popen([RADICALE, "--config", folder / "config"])
    try:
        until(lambda: _answers(port), 20)
        yield port, f"/{ADA}/"
    finally:
        running.terminate()
        running.wait(20)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def fill(side: Side) -> float:
    """Milliseconds a card."""
    with book(side) as made:
        return made.fill()


def put(side: Side) -> float:
    """Milliseconds, the median."""
    with book(side) as made:
        made.fill()
        return _median(lambda number: made.put(number, "Other"))


def quiet(side: Side) -> float:
    """Milliseconds, the median."""
    with book(side) as made:
        made.fill()
        token = made.sync()
        return _median(lambda _: made.sync(token))


def whole(side: Side) -> float:
    """Milliseconds, the median."""
    with book(side) as made:
        made.fill()
        return _median(lambda _: made.sync(more="<C:address-data/>"))


def _median(call: Callable[[int], object]) -> float:
    found: list[float] = []
    for number in range(AGAIN):
        begin = time.perf_counter()
        call(number)
        found.append((time.perf_counter() - begin) * 1000)
    return statistics.median(found)


ROWS = [
    Row("CardDAV: a card of 1,000 put first", "ms", fill, at_most=0.5, once=True),
    Row("CardDAV: PUT beside 1,000 cards", "ms", put, at_most=0.5, once=True),
    Row("CardDAV: sync without a change", "ms", quiet, at_most=0.5, once=True),
    Row("CardDAV: sync of 1,000 cards whole", "ms", whole, at_most=1.0, once=True),
]
