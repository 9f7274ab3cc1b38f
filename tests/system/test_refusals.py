"""What keeps a server from starting: exit status 1 and one line that says what is wrong.

Port taken, second server and wrong configuration are in tests/mailserver/test_cli.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from net.tls import make_self_signed
from tests.support.run import free_port
from tests.support.server import ServerProcess, configuration

TLS = '[tls]\ncertificate = "one.pem"\nkey = "one.key"\n'


def key_of_another(folder: Path) -> str:
    make_self_signed(folder / "one.pem", folder / "other.key", "mx.example.test")
    make_self_signed(folder / "two.pem", folder / "one.key", "mx.example.test")
    return configuration(extra=TLS)


def no_certificate(folder: Path) -> str:
    make_self_signed(folder / "one.pem", folder / "one.key", "mx.example.test")
    (folder / "one.pem").write_text("This is none.\n")
    return configuration(extra=TLS)


def missing_key(folder: Path) -> str:
    make_self_signed(folder / "one.pem", folder / "other.key", "mx.example.test")
    return configuration(extra=TLS)


def data_dir_is_a_file(folder: Path) -> str:
    (folder / "data").write_text("")
    return configuration()


def foreign_address(_folder: Path) -> str:
    return configuration().replace('imap = ["127.0.0.1:0"]', 'imap = ["192.0.2.1:143"]')


def no_postgresql(_folder: Path) -> str:
    return configuration(database=f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none")


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (key_of_another, ("one.pem", "the key does not belong to it")),
        (no_certificate, ("one.pem", "not PEM")),
        (missing_key, ("one.key", "No such file")),
        (data_dir_is_a_file, ("data",)),
        (foreign_address, ("192.0.2.1:143",)),
        (no_postgresql, ("PostgreSQL cannot be reached",)),
    ],
)
def test_serve_says_in_one_line_what_is_wrong(
    tmp_path: Path, prepare: Callable[[Path], str], words: tuple[str, ...]
) -> None:
    server = ServerProcess(tmp_path, prepare(tmp_path))
    said = server.command("serve", expect=1).stderr
    assert "Traceback" not in said
    assert "secret" not in said
    line = said.splitlines()[-1]
    assert line.startswith("mailserver: ")
    for word in words:
        assert word in line
