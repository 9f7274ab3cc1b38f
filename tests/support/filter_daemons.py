"""Real message filters of others on free ports of the loopback address, without a network:
opendkim as a milter, and rspamd with its milter and its HTTP interface.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import SYSTEM_PATH, need
from tests.support.run import free_port


@dataclass(frozen=True, slots=True)
class Rspamd:
    """`milter` and `http` as the configuration names them, `log` its log file."""

    milter: str
    http: str
    socket: str
    log: Path
    pid: int


@contextmanager
def opendkim(folder: Path, configuration: str, *, unix: bool = False) -> Iterator[str]:
    """The address of a running opendkim with that configuration beside its socket."""
    need("opendkim")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    place = folder / "opendkim.sock"
    at = f"local:{place}" if unix else f"inet:{port}@127.0.0.1"
    path = folder / "opendkim.conf"
    path.write_text(
        f"Socket {at}\nSyslog no\nBackground no\nUMask 0\nRequireSafeKeys no\n{configuration}"
    )
    with _running(folder, "opendkim", "-f", "-x", str(path)):
        _wait_for(str(place) if unix else port, folder / "opendkim.out")
        yield f"unix:{place}" if unix else f"tcp:127.0.0.1:{port}"


@contextmanager
def rspamd(folder: Path) -> Iterator[Rspamd]:
    """A running rspamd with its own rules; `xyzzyspam` in a body is TEST_WORD, 7 points."""
    need("rspamd")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    http, milter = free_port(), free_port()
    place = folder / "rspamd.sock"
    folder.joinpath("tld").write_text("test\ncom\norg\n")
    path = folder / "rspamd.conf"
    path.write_text(_RSPAMD.format(folder=folder, http=http, milter=milter))
    as_root = ["-i"] if os.getuid() == 0 else []
    with _running(folder, "rspamd", "-f", *as_root, "-c", str(path)) as process:
        for at in (http, milter, str(place)):
            _wait_for(at, folder / "log")
        yield Rspamd(
            f"tcp:127.0.0.1:{milter}",
            f"http://127.0.0.1:{http}",
            f"unix:{place}",
            folder / "log",
            process.pid,
        )


# What would ask the network or take long to load is off.
_RSPAMD = """
options {{
    pidfile = "{folder}/pid";
    tempdir = "{folder}";
    filters = "dkim,regexp";
    control_socket = "{folder}/control.sock mode=0600";
    dns {{ timeout = 0.2s; retransmits = 1; nameserver = ["127.0.0.1:9:1"]; }}
    cache_file = "{folder}/symbols";
    history_file = "{folder}/history";
    disable_hyperscan = true;
    url_tld = "{folder}/tld";
    local_addrs = [];
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "info"; }}
lua = "$RULESDIR/rspamd.lua";
metric {{ name = "default"; actions {{ reject = 15; add_header = 6; greylist = 4; }} }}
worker "normal" {{
    bind_socket = "127.0.0.1:{http}";
    bind_socket = "{folder}/rspamd.sock mode=0666";
    count = 1;
}}
worker "rspamd_proxy" {{
    bind_socket = "127.0.0.1:{milter}";
    milter = yes;
    count = 1;
    upstream "local" {{ self_scan = yes; default = yes; hosts = "127.0.0.1:{http}"; }}
}}
regexp {{ TEST_WORD {{ re = "/xyzzyspam/{{sa_body}}"; score = 7.0; }} }}
milter_headers {{ use = ["x-spamd-result", "x-spam-level"]; skip_local = false; }}
modules {{ path = "/usr/share/rspamd/plugins/milter_headers.lua"; }}
"""


@contextmanager
def _running(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={"PATH": SYSTEM_PATH, "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # asked to end, opendkim takes five seconds
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(at: int | str, log: Path) -> None:
    """Returns when somebody accepts at a port of loopback or a socket's path."""
    deadline = time.monotonic() + 45
    kind = socket.AF_INET if isinstance(at, int) else socket.AF_UNIX
    while time.monotonic() < deadline:
        with suppress(OSError), socket.socket(kind) as probe:
            probe.connect(("127.0.0.1", at) if isinstance(at, int) else at)
            return
        time.sleep(0.05)
    said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise AssertionError(f"nobody listens at {at}: {said}")
