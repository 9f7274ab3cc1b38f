"""scripts/start as an operator meets it: set-up, a second start, and mail with what it printed."""

import os
import re
import signal
import smtplib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.mirror import Mirror
from tests.interop.outside import Outside
from tests.interop.site import HOST, Account, Site, simple
from tests.support.dns_server import DnsServer
from tests.support.programs import need_swaks, run
from tests.support.run import free_port
from tests.support.server import ROOT, ServerProcess

PORTS = {
    "smtp": 2525, "submission": 2587, "submissions": 2465, "imap": 2143, "imaps": 2993,
    "managesieve": 2190, "http": 2080, "https": 2443,
}  # fmt: skip
START = str(ROOT / "scripts" / "start")


def printed(text: str) -> dict[str, str]:
    """The `name: value` lines of stdout, which hold nothing else."""
    return dict(line.split(": ", 1) for line in text.splitlines())


class Started(ServerProcess):
    """A server that runs by scripts/start; `stdout` keeps what it printed last."""

    def popen(self) -> subprocess.Popen[str]:
        with (self.folder / "stdout").open("w") as stdout:
            return subprocess.Popen(
                [START], stdout=stdout, stderr=subprocess.PIPE, text=True, env=self.environment
            )

    def printed(self) -> dict[str, str]:
        return printed((self.folder / "stdout").read_text())


def set_up(home: Path) -> dict[str, str]:
    """What `scripts/start --setup-only` prints; it must exit 0."""
    environment = {**os.environ, "MAILSERVER_HOME": str(home)}
    done = subprocess.run(
        [START, "--setup-only"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return printed(done.stdout)


@dataclass(slots=True)
class Home:
    """Set up by scripts/start, then moved to free ports and to the tests' DNS."""

    folder: Path
    first: dict[str, str]
    outside_port: int


@pytest.fixture(scope="module")
def home(folder: Path, dns: DnsServer) -> Home:
    made = Home(folder / "home", set_up(folder / "home"), free_port())
    config = made.folder / "mailserver.toml"
    text = config.read_text()
    for port in PORTS.values():
        text = text.replace(f'"127.0.0.1:{port}"', f'"127.0.0.1:{free_port()}"')
    text = text.replace("nameservers = []", f'nameservers = ["{dns.endpoint}"]')
    text = text.replace("\nport = 25\n", f"\nport = {made.outside_port}\n")
    config.write_text(text)
    return made


@pytest.fixture(scope="module")
def site(home: Home, dns: DnsServer) -> Iterator[Site]:
    server = Started(home.folder, environment={"MAILSERVER_HOME": str(home.folder)})
    with server:
        made = Site(server, dns, home.outside_port)
        yield made
    assert not made.complaints(), "\n".join(made.complaints())


@pytest.fixture
def account(home: Home) -> Account:
    return Account(home.first["address"], home.first["password"])


def test_first_start_prints_everything(home: Home) -> None:
    assert home.first["address"] == "user@example.test"
    assert len(home.first["password"]) >= 12
    listeners = {name: f"127.0.0.1:{port}" for name, port in PORTS.items()}
    assert home.first == {
        "address": home.first["address"],
        "password": home.first["password"],
        **listeners,
    }


def test_files_are_in_the_home(home: Home) -> None:
    names = {path.name for path in home.folder.iterdir()}
    assert {"mailserver.toml", "data", "fullchain.pem", "key.pem"} <= names
    assert (home.folder / "key.pem").stat().st_mode & 0o077 == 0


def test_second_setup_prints_no_password(home: Home) -> None:
    again = set_up(home.folder)
    assert again["address"] == home.first["address"]
    assert "password" not in again
    assert again.keys() | {"password"} == home.first.keys()


def test_serves_where_it_printed(site: Site, account: Account) -> None:
    assert isinstance(site.server, Started)
    said = site.server.printed()
    assert "password" not in said
    for name in PORTS:
        assert said[name] == f"127.0.0.1:{site.port(name)}"
    with urllib.request.urlopen(f"http://{said['http']}/healthz", timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
    (row,) = site.server.json("account", "list")
    assert (row["address"], row["admin"]) == (account.address, True)


def test_mbsync_reads_and_writes(site: Site, account: Account, tmp_path: Path) -> None:
    site.append(account, simple("from the server"))
    mirror = Mirror(site, account, tmp_path)
    mirror.sync()
    assert "from the server" in mirror.flags()
    mirror.add(simple("from the Maildir"))
    mirror.sync()
    assert "from the Maildir" in site.flags(account)


@pytest.mark.parametrize(("listener", "tls"), [("submission", "-tls"), ("submissions", "-tlsc")])
def test_swaks_submits_to_the_world(
    site: Site, account: Account, outside: Outside, listener: str, tls: str
) -> None:
    need_swaks()
    login = ("--auth-user", account.address, "--auth-password", account.password)
    where = ("--server", HOST, "--port", str(site.port(listener)), tls)
    envelope = ("--from", account.address, "--to", "friend@world.test")
    run("swaks", *where, "--auth", *login, *envelope, "--header", f"Subject: by {listener}")
    outside.wait_for("friend", f"Subject: by {listener}\r\n".encode())


def test_refused_mail_comes_back(site: Site, account: Account, outside: Outside) -> None:
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.login(account.address, account.password)
        message = simple("refused there", sender=account.address)
        client.sendmail(account.address, ["refused@world.test"], message)
    assert b"multipart/report" in site.wait_for(account, b"refused@world.test")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly_and_starts_again_quickly(site: Site, number: signal.Signals) -> None:
    site.server.signal(number)
    assert site.server.wait() == 0
    assert not re.search("Traceback|Exception", "\n".join(site.server.log))
    begin = time.monotonic()
    site.server.start()
    # the promise is two seconds on an idle machine; tests run on busy ones
    assert time.monotonic() - begin < 20
    assert isinstance(site.server, Started)
    assert "password" not in site.server.printed()
