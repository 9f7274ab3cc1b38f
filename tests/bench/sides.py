"""The two sides of a comparison: our server and Postfix with Dovecot, with the same users."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from config.sections_filters import DEFAULT_PIPELINE
from mailserver import control
from tests.bench.peers import Peers, children
from tests.bench.rspamd import Rspamd
from tests.bench.sink import RelaySink
from tests.support.run import free_port
from tests.support.server import ServerProcess

DOMAIN = "bench.test"
RELAYED = "relay.test"
PASSWORD = "secret"
USERS = 20
CONFIG = """
hostname = "mx.bench.test"
domains = ["bench.test"]
[listen]
smtp = ["127.0.0.1:0"]
submission = ["127.0.0.1:0"]
submissions = []
managesieve = []
imap = ["127.0.0.1:0"]
imaps = ["127.0.0.1:0"]
http = ["127.0.0.1:0"]
https = []
[auth]
plaintext_from = ["127.0.0.0/8"]
bcrypt_rounds = 10
[filters]
pipeline = {pipeline}
[limits]
connections_per_address = 5000
messages_per_minute_per_address = 10000000
[dkim]
sign = false
[outbound]
smarthost = "smtp://127.0.0.1:{sink}"
[submission]
messages_per_hour = 0
messages_per_day = 0
recipients_per_hour = 0
recipients_per_day = 0
"""
# Without and with the filters of content.
PIPELINE = ["ratelimit", "blocklist", "spf", "dkim", "dmarc", "arc", "tagging"]
WHOLE = list(DEFAULT_PIPELINE)
TICKS = os.sysconf("SC_CLK_TCK")


def user(number: int) -> str:
    """The address of a bench account, from 0."""
    return f"b{number}@{DOMAIN}"


@dataclass(slots=True)
class Side:
    """What a load needs to know of one server. `smtp_pid` where SMTP has processes of its own."""

    name: str
    smtp_port: int
    imap_port: int
    imaps_port: int
    pid: int
    maildirs: Path
    ours: bool
    sink: RelaySink | None = None
    submission_port: int = 0
    smtp_pid: int = 0
    http_port: int = 0

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used."""
        return sum(map(_cpu, self.pids()))

    def pids(self) -> list[int]:
        return [self.pid, *children(self.pid)]

    def smtp_memory(self) -> int:
        """As `memory`, of the processes that speak SMTP."""
        pid = self.smtp_pid or self.pid
        return sum(map(_pss, [pid, *children(pid)]))

    def memory(self) -> int:
        """Octets of private and shared memory, shared parts divided among their users (PSS)."""
        return sum(map(_pss, self.pids()))

    def delivered(self, address: str) -> int:
        """Message files in the user's INBOX, counted on disk."""
        folder = self.maildirs / address
        counts = (len(os.listdir(folder / name)) for name in ("new", "cur"))  # noqa: PTH208
        return sum(counts)


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


class Ours:
    """Our server as a process of its own, with its bench accounts; with the `whole` pipeline, or
    with that of the mail path.
    """

    def __init__(self, base: Path, *, whole: bool = False) -> None:
        self._sink_port = free_port()
        self._sink: RelaySink | None = None
        pipeline = json.dumps(WHOLE if whole else PIPELINE)
        config = CONFIG.format(sink=self._sink_port, pipeline=pipeline)
        self._server = ServerProcess(base, config)

    def start(self) -> Side:
        server = self._server
        server.start()
        if not (server.folder / "by-address").exists():
            asyncio.run(self._add_accounts())
        assert server.process is not None
        self._sink = RelaySink(self._sink_port)
        return Side(
            name="mailserver",
            smtp_port=server.port("smtp"),
            imap_port=server.port("imap"),
            imaps_port=server.port("imaps"),
            pid=server.process.pid,
            maildirs=self._links(),
            ours=True,
            sink=self._sink,
            submission_port=server.port("submission"),
            http_port=server.port("http"),
        )

    def stop(self) -> None:
        self._server.stop()
        if self._sink is not None:
            self._sink.stop()

    async def _add_accounts(self) -> None:
        for number in range(USERS):
            args = {
                "address": user(number),
                "password": PASSWORD,
                "name": "",
                "quota": 0,
                "admin": False,
            }
            await control.call(self._server.data, "account.add", args, lambda *_: None)

    def _links(self) -> Path:
        """A folder of links from address to Maildir, so that both sides are counted alike."""
        links = self._server.folder / "by-address"
        if links.exists():
            return links
        links.mkdir()
        for row in self._server.json("account", "list"):
            (links / row["address"]).symlink_to(row["maildir"])
        return links


class Theirs:
    """Postfix -> Dovecot LMTP -> Maildir, and Dovecot's IMAP; `whole`: through rspamd."""

    def __init__(self, base: Path, *, whole: bool = False) -> None:
        self._rspamd = Rspamd(base.with_name(f"{base.name}-rspamd")) if whole else None
        self._peers = Peers(base, self._rspamd.port if self._rspamd else 0)
        self._sink: RelaySink | None = None

    def start(self) -> Side:
        if self._rspamd is not None:
            self._rspamd.start()
        self._peers.start()
        self._sink = RelaySink(self._peers.sink_port)
        return Side(
            name="postfix+dovecot",
            smtp_port=self._peers.smtp_port,
            imap_port=self._peers.imap_port,
            imaps_port=0,
            pid=self._peers.pids()[0],
            maildirs=self._peers.base / "mail",
            ours=False,
            sink=self._sink,
            smtp_pid=self._peers.postfix_pid(),
        )

    def stop(self) -> None:
        self._peers.stop()
        if self._rspamd is not None:
            self._rspamd.stop()
        if self._sink is not None:
            self._sink.stop()
