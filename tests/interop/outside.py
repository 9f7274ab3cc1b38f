"""A real Postfix that stands for the outside world, with a private configuration on a free port.

Needs root, since Postfix's master does; nothing of an installed configuration is read. It is the
mail server of world.test and knows where example.test is.
"""

import contextlib
import os
import pwd
import re
import smtplib
import subprocess
from pathlib import Path

import pytest

from net.tls import make_self_signed
from tests.support.programs import SYSTEM_PATH, need
from tests.support.server import until

TEMPLATES = Path(__file__).parent / "postfix"
MAIL_USER = "nobody"
COMPLAINTS = re.compile(
    r"warning:|error:|fatal:|panic:|improper command|lost connection|timeout after|non-SMTP"
    r"|Host offered|protocol error|unexpected"
)


class Outside:
    """`port` is where Postfix listens, `mx_port` where the server under test takes mail."""

    def __init__(self, base: Path, port: int, mx_port: int) -> None:
        if os.getuid() != 0:
            pytest.skip("Postfix's master needs root")
        need("postfix")
        self.base, self.port, self.mx_port = base, port, mx_port

    def start(self) -> None:
        """Returns when Postfix accepts connections."""
        user = pwd.getpwnam(MAIL_USER)
        for name in ("config", "spool", "data", "mail"):
            (self.base / name).mkdir(parents=True)
        os.chown(self.base / "mail", user.pw_uid, user.pw_gid)
        os.chown(self.base / "data", pwd.getpwnam("postfix").pw_uid, -1)
        make_self_signed(self.base / "certificate.pem", self.base / "key.pem", "mail.world.test")
        values = {
            "BASE": self.base,
            "SMTP_PORT": self.port,
            "MX_PORT": self.mx_port,
            "UID": user.pw_uid,
            "GID": user.pw_gid,
        }
        for name in ("main.cf", "master.cf"):
            text = (TEMPLATES / name).read_text("utf-8")
            for key, value in values.items():
                text = text.replace(f"@{key}@", str(value))
            (self.base / "config" / name).write_text(text, "utf-8")
        self._command("postfix", "start")
        until(self._accepts, 20)

    def stop(self) -> None:
        self._command("postfix", "stop")

    def arrived(self, person: str) -> list[bytes]:
        """Messages in a person's Maildir, with CRLF: Postfix stores LF."""
        files = sorted((self.base / "mail" / person / "new").glob("*"))
        return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]

    def wait_for(self, person: str, text: bytes, seconds: float = 20) -> bytes:
        """The first message that contains the octets; fails with the log when none comes."""

        def look() -> bytes | None:
            return next((found for found in self.arrived(person) if text in found), None)

        try:
            found = until(look, seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} did not arrive\n{self.log()[-5000:]}") from None
        assert isinstance(found, bytes)
        return found

    def log(self) -> str:
        """Postfix's log so far."""
        with contextlib.suppress(FileNotFoundError):
            return (self.base / "postfix.log").read_text("utf-8", "replace")
        return ""

    def wait_for_log(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """The first match in the log."""
        found = until(lambda: re.search(pattern, self.log()), seconds)
        assert isinstance(found, re.Match)
        return found

    def spoken(self) -> list[str]:
        """What Postfix's client and the server said to each other: `C: ...` and `S: ...`."""
        lines = re.findall(r"postfix/smtp\[\d+\]: ([<>]) \S+: (.*)", self.log())
        return [("C: " if arrow == ">" else "S: ") + text for arrow, text in lines]

    def complaints(self) -> list[str]:
        """Log lines in which Postfix finds fault with its peer or itself."""
        lines = self.log().splitlines()
        return [line for line in lines if COMPLAINTS.search(line) and "status=" not in line]

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            smtplib.SMTP("127.0.0.1", self.port, timeout=1).quit()
            return True
        return False

    def _command(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [program, "-c", str(self.base / "config"), *arguments],
            capture_output=True,
            text=True,
            env={"PATH": SYSTEM_PATH},
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.log()}"
