"""A real clamd with signatures of its own, on a Unix socket and on TCP; no network, no updates."""

import gzip
import hashlib
import io
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.programs import SYSTEM_PATH, need
from tests.support.run import free_port

# In two halves until it runs, so that no scanner finds this file.
_HALVES = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}", rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
EICAR = b"".join(_HALVES)
NAME = "Test.Eicar.NDB.UNOFFICIAL"
_RELOADED = "Activating the newly loaded database"
_READY = 30.0


class Clamd:
    """One clamd. `unix` and `tcp` are its addresses as the configuration has them."""

    def __init__(self, folder: Path, limit: str = "64M", more: str = "") -> None:
        self.folder, self.limit, self.more = folder, limit, more
        self.port = free_port()
        self.unix = f"unix:{folder}/clamd.ctl"
        self.tcp = f"tcp:127.0.0.1:{self.port}"
        self.signatures = folder / "signatures"
        self.process: subprocess.Popen[bytes] | None = None
        self.signatures.mkdir(parents=True)
        self.learn("Test.Eicar.NDB", EICAR)

    def learn(self, name: str, text: bytes) -> None:
        """One signature more, which a start or RELOAD makes known."""
        with (self.signatures / "local.ndb").open("a") as file:
            file.write(f"{name}:0:*:{text.hex()}\n")

    def version(self, number: int) -> None:
        """Makes the database say that it is of this version; known after a start or RELOAD.

        It is a file as own builds of the database are: a header of 512 octets, then tar.
        """
        at = int(time.time()) - 3600
        made = time.strftime("%d %b %Y %H-%M +0000", time.gmtime(at))
        head = f"ClamAV-VDB:{made}:{number}:1:90:{'0' * 32}:x:tests:{at}".encode()
        rule = b"Test.Version:0:*:" + f"version {number}".encode().hex().encode() + b"\n"
        listed = f"daily.ndb:{len(rule)}:{hashlib.sha256(rule).hexdigest()}".encode()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, text in (("daily.info", head + b"\n" + listed + b"\n"), ("daily.ndb", rule)):
                info = tarfile.TarInfo(name)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text))
        whole = head.ljust(512) + gzip.compress(packed.getvalue())
        (self.signatures / "daily.cud").write_bytes(whole)

    def start(self) -> None:
        """Returns when it answers."""
        config = self.folder / "clamd.conf"
        config.write_text(
            f"LocalSocket {self.folder}/clamd.ctl\nLocalSocketMode 666\nFixStaleSocket yes\n"
            f"TCPSocket {self.port}\nTCPAddr 127.0.0.1\n"
            f"DatabaseDirectory {self.signatures}\nTemporaryDirectory {self.folder}\n"
            f"PidFile {self.folder}/pid\nLogFile {self.folder}/log\nForeground yes\n"
            f"StreamMaxLength {self.limit}\nMaxThreads 4\nSelfCheck 0\n{self.more}"
        )
        program = shutil.which("clamd", path=SYSTEM_PATH)
        assert program is not None
        with (self.folder / "out").open("wb") as out:
            self.process = subprocess.Popen([program, "-c", str(config)], stdout=out, stderr=out)
        deadline = time.monotonic() + _READY
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "out").read_text()
            assert time.monotonic() < deadline, "clamd does not answer"
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it answers PING on both sockets."""
        with suppress(OSError), socket.socket(socket.AF_UNIX) as unix:
            unix.settimeout(5)
            unix.connect(self.unix.removeprefix("unix:"))
            with socket.create_connection(("127.0.0.1", self.port), 5) as tcp:
                return all(_pings(one) for one in (unix, tcp))
        return False

    def reload(self) -> None:
        """Asks for RELOAD and waits until it scans with what it read."""
        log = self.folder / "log"
        before = log.read_text().count(_RELOADED)
        with socket.create_connection(("127.0.0.1", self.port), 5) as tcp:
            tcp.sendall(b"zRELOAD\0")
            tcp.recv(100)
        deadline = time.monotonic() + _READY
        while log.read_text().count(_RELOADED) == before:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, as if it had crashed."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None


def _pings(one: socket.socket) -> bool:
    one.sendall(b"zPING\0")
    return one.recv(100) == b"PONG\0"


@contextmanager
def running_clamd(limit: str = "64M", more: str = "", version: int = 0) -> Iterator[Clamd]:
    """A clamd that serves within the block; in a folder with a path short enough for a socket."""
    need("clamd")
    folder = Path(tempfile.mkdtemp(prefix="mailserver-clamd-", dir="/tmp"))
    folder.chmod(0o755)
    clamd = Clamd(folder, limit, more)
    if version:
        clamd.version(version)
    try:
        clamd.start()
        yield clamd
    finally:
        clamd.stop()
        shutil.rmtree(folder, ignore_errors=True)
