"""Links of the drive as curl and wget follow them: whole, resumed, by name, with a password."""

import imaplib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.drive import ADA, attach, link
from tests.support.programs import need
from tests.support.server import PASSWORD, ServerProcess, configuration

DATA = random.Random(11).randbytes(1_500_000)
NAME = "Jahresbericht für 2026.bin"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("links"), configuration()) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        yield running


@pytest.fixture(scope="module")
def item(server: ServerProcess) -> str:
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, PASSWORD)
    try:
        return attach(server, client, NAME, DATA)
    finally:
        client.logout()


def url(server: ServerProcess, item: str, **wish: Any) -> str:
    """Over TLS, by the address instead of the name."""
    made = str(link(server, item, **wish)["url"])
    return made.replace("https://mx.example.test", "https://127.0.0.1")


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    need(program)
    command = [program, *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.parametrize("program", ["curl", "wget"])
def test_what_broke_off_is_resumed(
    server: ServerProcess, item: str, tmp_path: Path, program: str
) -> None:
    part = tmp_path / "part.bin"
    part.write_bytes(DATA[:700_000])
    options = {
        "curl": ("--insecure", "--fail", "--continue-at", "-", "--output", part.name),
        "wget": ("--no-check-certificate", "--continue", "--output-document", part.name),
    }[program]
    done = run(tmp_path, program, *options, url(server, item))
    assert done.returncode == 0, done.stderr
    assert part.read_bytes() == DATA


def test_curl_takes_the_name_and_both_ends(
    server: ServerProcess, item: str, tmp_path: Path
) -> None:
    options = ("--insecure", "--fail", "--remote-name", "--remote-header-name")
    done = run(tmp_path, "curl", *options, url(server, item))
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.iterdir()
    assert made.read_bytes() == DATA
    assert made.name.startswith("Jahresbericht f")
    ends = run(tmp_path, "curl", "--insecure", "-r", "0-3,-4", "-o", "ends", url(server, item))
    assert ends.returncode == 0
    assert DATA[:4] in (tmp_path / "ends").read_bytes()
    assert DATA[-4:] in (tmp_path / "ends").read_bytes()


def test_wget_takes_the_name_of_the_extended_parameter(
    server: ServerProcess, item: str, tmp_path: Path
) -> None:
    options = ("--no-check-certificate", "--content-disposition", "--local-encoding=UTF-8")
    done = run(tmp_path, "wget", *options, url(server, item))
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.iterdir()
    assert made.read_bytes() == DATA


@pytest.mark.parametrize("program", ["curl", "wget"])
def test_a_password(server: ServerProcess, item: str, tmp_path: Path, program: str) -> None:
    options = {
        "curl": ("--insecure", "--fail", "--output", "file", "--user", "x:open sesame"),
        "wget": (
            *("--no-check-certificate", "--output-document", "file", "--user", "x"),
            *("--password", "open sesame"),
        ),
    }[program]
    done = run(tmp_path, program, *options, url(server, item, password="open sesame"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_bytes() == DATA


def test_curl_has_it_already(server: ServerProcess, item: str, tmp_path: Path) -> None:
    place = url(server, item)
    tags = ("--etag-save", "tag", "--etag-compare", "tag", "--write-out", "%{http_code}")
    first = run(tmp_path, "curl", "--insecure", "--silent", "-o", "file", *tags, place)
    again = run(tmp_path, "curl", "--insecure", "--silent", "-o", "other", *tags, place)
    assert (first.stdout, again.stdout) == ("200", "304")
