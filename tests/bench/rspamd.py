"""rspamd as Debian configures it, as a milter on a free port, with the rules that need no network.

What is changed, and why, stands in tests/bench/peers/rspamd/, which becomes its local.d.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.bench.peers import TEMPLATES, wait_for_port
from tests.support.run import free_port

LOCAL = TEMPLATES / "rspamd"
_MODULES_OFF = (
    *("asn", "dmarc", "fuzzy_check", "mx_check", "neural", "p0f"),
    *("phishing", "rbl", "replies", "spf", "surbl"),
)


class Rspamd:
    """One master with two scanners in the milter's worker; no Redis, hence no Bayes."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the milter accepts."""
        shutil.rmtree(self._base, ignore_errors=True)
        local = self._base / "local.d"
        local.mkdir(parents=True)
        for path in LOCAL.iterdir():
            text = path.read_text().replace("@BASE@", str(self._base))
            (local / path.name).write_text(text.replace("@PORT@", str(self.port)))
        for name in _MODULES_OFF:
            (local / f"{name}.conf").write_text("enabled = false;\n")
        place = dict.fromkeys(("DBDIR", "RUNDIR", "LOGDIR", "LOCAL_CONFDIR"), self._base)
        variables = [f"--var={name}={value}" for name, value in place.items()]
        command = ["rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", *variables]
        with (self._base / "out").open("wb") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, start_new_session=True
            )
        wait_for_port(self.port, 60)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None
