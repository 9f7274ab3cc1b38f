"""How each client of login_table.py is made to log in, and to do something after it."""

import contextlib
import imaplib
import json
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sievelib.managesieve import Client as Sieve

from tests.interop.login_table import Cell
from tests.interop.site import HOST, Site
from tests.support.programs import SYSTEM_PATH, need, need_swaks, run, unavailable
from tests.support.server import ROOT

_HERE: Final = Path(__file__).parent
_MBSYNC: Final = """\
IMAPAccount server
Host {host}
Port {port}
User {user}
Pass "{secret}"
SSLType {ssl}
AuthMechs {mechanism}
CertificateFile {authority}

IMAPStore far
Account server

MaildirStore near
Path {folder}/mail/
Inbox {folder}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns *
"""
_OFFLINEIMAP: Final = """\
[general]
accounts = one
metadata = {folder}/metadata

[Account one]
localrepository = here
remoterepository = there

[Repository here]
type = Maildir
localfolders = {folder}/mail

[Repository there]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
{secret}
ssl = yes
sslcacertfile = {authority}
auth_mechanisms = {mechanism}
"""


class Helper:
    """A peer that stays: it takes one JSON object a line, and answers each with a line."""

    def __init__(self, *command: str | Path) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        )

    def ask(self, **values: object) -> str:
        """The answer: "in", or why not."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(values) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline().strip()
        assert answer, "the peer died"
        return answer

    def close(self) -> None:
        """It ends by itself when nothing more comes."""
        self._process.communicate(timeout=20)


class Peers:
    """All clients, for one user of one site. A secret is a text, for EXTERNAL the path of a file
    with certificate and key.
    """

    def __init__(self, site: Site, user: str, folder: Path) -> None:
        self._site, self._user, self._folder = site, user, folder
        self._helpers: dict[str, Helper] = {}
        self._clients: dict[str, Callable[[Cell, str], bool]] = {
            "aiosasl": self._aiosasl,
            "GNU SASL": self._gsasl,
            "mbsync": self._mbsync,
            "curl": self._curl,
            "imaplib": self._imaplib,
            "smtplib": self._smtplib,
            "imapflow": self._imapflow,
            "offlineimap": self._offlineimap,
            "swaks": self._swaks,
            "sievelib": self._sievelib,
            "sieve-connect": self._sieve_connect,
        }

    def logs_in(self, cell: Cell, secret: str) -> bool:
        """Whether the client says that it is in."""
        return self._clients[cell.peer](cell, secret)

    def close(self) -> None:
        for helper in self._helpers.values():
            helper.close()

    def _port(self, cell: Cell) -> int:
        return self._site.port(cell.listener)

    def _helper(self, name: str, *command: str | Path) -> Helper:
        if name not in self._helpers:
            self._helpers[name] = Helper(*command)
        return self._helpers[name]

    def _aiosasl(self, cell: Cell, secret: str) -> bool:
        python = "/usr/bin/python3"
        if run(python, "-c", "import aiosasl", expect=None).returncode:
            unavailable("python3-aiosasl is not installed: scripts/test installs it")
        helper = self._helper("aiosasl", python, _HERE / "aiosasl_peer.py")
        answer = helper.ask(
            listener=cell.listener,
            port=self._port(cell),
            authority=str(self._site.ca_file),
            mechanism=cell.mechanism,
            initial=cell.initial,
            user=self._user,
            password=secret,
        )
        return _is_in(answer)

    def _imapflow(self, cell: Cell, secret: str) -> bool:
        node, packages = Path(sys.executable).parent / "node", ROOT / "var" / "node"
        if not node.exists() or not (packages / "node_modules" / "imapflow").is_dir():
            unavailable("imapflow is not installed: scripts/test installs it")
        helper = self._helper("imapflow", node, _HERE / "node" / "imapflow_login.js", packages)
        by_token = cell.mechanism == "OAUTHBEARER"
        login = {"accessToken": secret} if by_token else {"pass": secret}
        answer = helper.ask(
            port=self._port(cell),
            secure=cell.listener == "imaps",
            ca=str(self._site.ca_file),
            auth={"user": self._user, "loginMethod": f"AUTH={cell.mechanism}", **login},
        )
        return _is_in(answer)

    def _gsasl(self, cell: Cell, secret: str) -> bool:
        """It knows other types of channel binding: --no-cb."""
        need("gsasl")
        protocol = "imap" if cell.listener == "imap" else "smtp"
        who = [f"--authentication-id={self._user}", f"--authorization-id={self._user}"]
        if cell.mechanism == "EXTERNAL":
            who += [f"--x509-cert-file={secret}", f"--x509-key-file={secret}"]
        else:
            who += [f"--password={secret}"]
        done = run(
            *("gsasl", f"--{protocol}", f"--connect={HOST}:{self._port(cell)}", "--starttls"),
            *(f"--x509-ca-file={self._site.ca_file}", "--no-cb", "--verbose", *who),
            f"--mechanism={cell.mechanism}",
            stdin=b". LOGOUT\r\n" if protocol == "imap" else b"QUIT\r\n",
            expect=None,
        )
        return b"Client authentication finished (server trusted)" in done.stdout + done.stderr

    def _mbsync(self, cell: Cell, secret: str) -> bool:
        need("mbsync")
        config = self._folder / "mbsyncrc"
        (self._folder / "mail").mkdir(exist_ok=True)
        config.write_text(
            _MBSYNC.format(
                host=HOST,
                port=self._port(cell),
                user=self._user,
                secret=secret,
                ssl="IMAPS" if cell.listener == "imaps" else "STARTTLS",
                mechanism=cell.mechanism,
                authority=self._site.ca_file,
                folder=self._folder,
            )
        )
        done = run("mbsync", "-c", config, "--list", "all", expect=None, home=self._folder)
        return done.returncode == 0 and b"INBOX" in done.stdout

    def _curl(self, cell: Cell, secret: str) -> bool:
        need("curl")
        schemes = {"submission": "smtp", "submissions": "smtps"}
        scheme = schemes.get(cell.listener, cell.listener)
        who: tuple[str, ...] = ("--user", f"{self._user}:{secret}")
        if cell.mechanism == "EXTERNAL":
            who = ("--user", f"{self._user}:", "--cert", secret)
        elif cell.mechanism in ("OAUTHBEARER", "XOAUTH2"):
            who = ("--user", self._user, "--oauth2-bearer", secret)
        done = run(
            *("curl", "--silent", "--show-error", "--max-time", "20", "--ssl-reqd"),
            *("--cacert", self._site.ca_file, *who, *(("--sasl-ir",) if cell.initial else ())),
            *("--login-options", f"AUTH={cell.mechanism}"),
            f"{scheme}://{HOST}:{self._port(cell)}/",
            expect=None,
        )
        wanted = b"INBOX" if scheme.startswith("imap") else b"Commands:"
        return done.returncode == 0 and wanted in done.stdout

    def _imaplib(self, cell: Cell, secret: str) -> bool:
        tls = self._site.tls()
        if cell.mechanism == "EXTERNAL":
            tls.load_cert_chain(secret)
        port, answers = self._port(cell), self._messages(cell, secret)
        client = (
            imaplib.IMAP4_SSL(HOST, port, ssl_context=tls, timeout=20)
            if cell.listener == "imaps"
            else imaplib.IMAP4(HOST, port, timeout=20)
        )
        with client:
            if cell.listener == "imap":
                client.starttls(tls)
            try:
                client.authenticate(cell.mechanism, lambda _: next(answers).encode())
            except imaplib.IMAP4.error:
                return False
            return client.select()[0] == "OK"

    def _smtplib(self, cell: Cell, secret: str) -> bool:
        tls = self._site.tls()
        if cell.mechanism == "EXTERNAL":
            tls.load_cert_chain(secret)
        port, answers = self._port(cell), self._messages(cell, secret)
        client = (
            smtplib.SMTP_SSL(HOST, port, context=tls, timeout=20)
            if cell.listener == "submissions"
            else smtplib.SMTP(HOST, port, timeout=20)
        )
        with client:
            if cell.listener == "submission":
                client.starttls(context=tls)
            client.ehlo()

            def answer(challenge: bytes | None = None) -> str:
                return next(answers)

            try:
                client.auth(cell.mechanism, answer, initial_response_ok=cell.initial)
            except smtplib.SMTPAuthenticationError:
                return False
            return client.mail(self._user)[0] == 250

    def _messages(self, cell: Cell, secret: str) -> Iterator[str]:
        """What Python's clients are given to say; a refused token is answered, too."""
        end = "\1\1"
        said = {
            "PLAIN": [f"\0{self._user}\0{secret}"],
            "LOGIN": [self._user, secret],
            "OAUTHBEARER": [f"n,a={self._user},\1auth=Bearer {secret}{end}", "\1"],
            "XOAUTH2": [f"user={self._user}\1auth=Bearer {secret}{end}", ""],
            "EXTERNAL": [self._user],
        }
        return iter(said[cell.mechanism])

    def _offlineimap(self, cell: Cell, secret: str) -> bool:
        need("offlineimap")
        by_token = cell.mechanism == "XOAUTH2"
        config = self._folder / "offlineimaprc"
        config.write_text(
            _OFFLINEIMAP.format(
                host=HOST,
                port=self._port(cell),
                user=self._user,
                secret=f"oauth2_access_token = {secret}" if by_token else f"remotepass = {secret}",
                authority=self._site.ca_file,
                mechanism=cell.mechanism,
                folder=self._folder,
            )
        )
        done = run("offlineimap", "--info", "-c", config, expect=None, home=self._folder)
        said = done.stdout + done.stderr
        return b"Archive" in said

    def _swaks(self, cell: Cell, secret: str) -> bool:
        need_swaks()
        done = run(
            *("swaks", "--server", HOST, "--port", str(self._port(cell)), "--timeout", "20"),
            *("--tls" if cell.listener == "submission" else "--tls-on-connect", "--tls-verify"),
            *("--tls-ca-path", self._site.ca_file, "--auth", cell.mechanism, "--from", self._user),
            *("--auth-user", self._user, "--auth-password", secret, "--quit-after", "AUTH"),
            expect=None,
        )
        return done.returncode == 0 and b"235 2.7.0" in done.stdout

    def _sievelib(self, cell: Cell, secret: str) -> bool:
        client = Sieve(HOST, self._port(cell))
        found = client.connect(self._user, secret, starttls=True, authmech=cell.mechanism)
        with contextlib.closing(client.sock):
            return bool(found) and client.listscripts() is not None

    def _sieve_connect(self, cell: Cell, secret: str) -> bool:
        need("sieve-connect")
        who = ["--user", self._user, "--authmech", cell.mechanism]
        if cell.mechanism == "EXTERNAL":
            who += ["--clientkeycert", secret]
        else:
            who += ["--passwordfd", "0"]
        done = run(
            *("sieve-connect", "--server", HOST, "--nosrv", "--port", str(self._port(cell))),
            *("--tlscafile", self._site.ca_file, "--list"),
            *who,
            stdin=secret.encode(),
            expect=None,
        )
        return done.returncode == 0


def _is_in(answer: str) -> bool:
    """Else it is the server's refusal, not a failure of the peer itself."""
    assert answer == "in" or answer.startswith("refused"), answer
    return answer == "in"
