"""Starts Postfix and Dovecot with private configurations on free ports, and ends them.

Needs root, since Postfix's master does. Nothing of an installed configuration is read.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.support.run import free_port

TEMPLATES = Path(__file__).parent / "peers"
MAIL_USER = "nobody"


class Peers:
    """`base` must be on the file system that ours is measured on. `milter` is the port of one that
    mail passes, 0 for none.
    """

    def __init__(self, base: Path, milter: int = 0) -> None:
        self.base, self._milter = base, milter
        self.smtp_port = free_port()
        self.imap_port = free_port()
        self.sink_port = free_port()
        self._dovecot: subprocess.Popen[bytes] | None = None
        self._config = base / "postfix"

    def start(self) -> None:
        """Returns when both accept connections."""
        shutil.rmtree(self.base, ignore_errors=True)
        for name in ("postfix", "spool", "postfix-data", "run", "mail", "home"):
            (self.base / name).mkdir(parents=True)
        user = pwd.getpwnam(MAIL_USER)
        for name in ("mail", "home"):
            os.chown(self.base / name, user.pw_uid, user.pw_gid)
        os.chown(self.base / "postfix-data", pwd.getpwnam("postfix").pw_uid, -1)
        self._write("postfix-main.cf", self._config / "main.cf")
        self._write("postfix-master.cf", self._config / "master.cf")
        self._write("dovecot.conf", self.base / "dovecot.conf")
        self._dovecot = subprocess.Popen(
            ["/usr/sbin/dovecot", "-F", "-c", str(self.base / "dovecot.conf")]
        )
        subprocess.run(self._postfix("start"), check=True, capture_output=True)
        for port in (self.smtp_port, self.imap_port):
            wait_for_port(port)

    def stop(self) -> None:
        subprocess.run(self._postfix("stop"), check=False, capture_output=True)
        if self._dovecot is not None:
            self._dovecot.terminate()
            self._dovecot.wait(20)

    def maildir(self, user: str) -> Path:
        """Where Dovecot keeps that user's INBOX."""
        return self.base / "mail" / user

    def pids(self) -> list[int]:
        """Processes of Dovecot, for CPU and memory figures."""
        if self._dovecot is None:
            return []
        return [self._dovecot.pid, *children(self._dovecot.pid)]

    def postfix_pid(self) -> int:
        """Postfix's master."""
        return int((self.base / "spool" / "pid" / "master.pid").read_text())

    def _postfix(self, command: str) -> list[str]:
        return ["/usr/sbin/postfix", "-c", str(self._config), command]

    def _write(self, template: str, target: Path) -> None:
        text = (TEMPLATES / template).read_text()
        user = pwd.getpwnam(MAIL_USER)
        values = {
            "BASE": str(self.base),
            "SMTP_PORT": self.smtp_port,
            "IMAP_PORT": self.imap_port,
            "SINK_PORT": self.sink_port,
            "MILTERS": f"inet:127.0.0.1:{self._milter}" if self._milter else "",
            "UID": user.pw_uid,
            "GID": user.pw_gid,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        target.write_text(text)


def wait_for_port(port: int, seconds: float = 20) -> None:
    """Returns when something accepts there."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """All descendants of a process."""
    try:
        texts = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    found = [int(part) for text in texts for part in text.split()]
    return found + [grandchild for child in found for grandchild in children(child)]
