"""A changed certificate on every listener of a serving process: by a reload, without a restart."""

import imaplib
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from tests.support.programs import need
from tests.support.server import ServerProcess, configuration, until

CLIENT = ssl.create_default_context()
CLIENT.check_hostname = False
CLIENT.verify_mode = ssl.CERT_NONE


def write_pair(folder: Path, name: str) -> str:
    """`NAME.pem` and `NAME.key`, for a host of that name."""
    pair = trustme.CA().issue_cert(f"{name}.test")
    (folder / f"{name}.pem").write_bytes(b"".join(one.bytes() for one in pair.cert_chain_pems))
    (folder / f"{name}.key").write_bytes(pair.private_key_pem.bytes())
    return f'certificate = "{name}.pem"\nkey = "{name}.key"\n'


def by_smtp(port: int) -> bytes | None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        client.starttls(context=CLIENT)
        return _certificate(client.sock)


def by_imap(port: int) -> bytes | None:
    with imaplib.IMAP4("127.0.0.1", port, timeout=10) as client:
        client.starttls(CLIENT)
        return _certificate(client.sock)


def by_managesieve(port: int) -> bytes | None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"STARTTLS\r\n")
        said = b""
        while b'OK "Begin TLS"\r\n' not in said:
            said += plain.recv(4096)
        with CLIENT.wrap_socket(plain, server_hostname="localhost") as client:
            return _certificate(client)


def by_tls(port: int) -> bytes:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=10).encode()


def _certificate(connection: object) -> bytes | None:
    assert isinstance(connection, ssl.SSLSocket)
    shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    return ssl.DER_cert_to_PEM_cert(shown).encode()


LISTENERS: dict[str, Callable[[int], bytes | None]] = {
    "smtp": by_smtp,
    "submission": by_smtp,
    "submissions": by_tls,
    "imap": by_imap,
    "imaps": by_tls,
    "managesieve": by_managesieve,
    "https": by_tls,
}


def served(server: ServerProcess) -> set[bytes | None]:
    return {show(server.port(name)) for name, show in LISTENERS.items()}


@pytest.mark.parametrize("how", ["other files", "changed files"])
def test_every_listener_shows_the_certificate_in_use(tmp_path: Path, how: str) -> None:
    first = write_pair(tmp_path, "one")
    with ServerProcess(tmp_path, configuration(extra=f"[tls]\n{first}")) as server:
        (before,) = served(server)
        assert before is not None
        assert before in (tmp_path / "one.pem").read_bytes()
        if how == "other files":
            text = server.config.read_text().replace(first, write_pair(tmp_path, "two"))
            server.config.write_text(text)
            assert server.json("reload")["applied"] == ["tls.certificate", "tls.key"]
        else:
            write_pair(tmp_path, "one")
            server.command("reload")
        (after,) = served(server)
        assert after is not None
        assert after != before
        in_use = "two.pem" if how == "other files" else "one.pem"
        assert after in (tmp_path / in_use).read_bytes()


def test_a_reload_with_an_unusable_certificate_changes_nothing(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, configuration()) as server:
        (before,) = served(server)
        broken = '[limits]\nrecipients = 5\n[tls]\ncertificate = "no.pem"\nkey = "no.key"\n'
        good = server.config.read_text()
        server.config.write_text(good + broken)
        refused = server.command("reload", expect=1)
        assert "no.pem: No such file" in refused.stderr
        assert served(server) == {before}
        server.config.write_text(good + "[limits]\nrecipients = 5\n")
        assert server.json("reload")["applied"] == ["limits.recipients"]


def test_a_server_name_that_is_no_ascii_is_a_line_of_the_log(tmp_path: Path) -> None:
    need("openssl")
    with ServerProcess(tmp_path, configuration()) as server:
        text = server.config.read_text()
        server.config.write_text(f"{text}[tls]\n{write_pair(tmp_path, 'one')}")
        server.command("reload")
        port = str(server.port("imaps"))
        asked = ["openssl", "s_client", "-servername", "m\u00fcll.test", "-connect"]
        subprocess.run([*asked, f"127.0.0.1:{port}"], input=b"", capture_output=True, check=False)
        (line,) = until(lambda: server.events("exception ignored"))
        assert "UnicodeDecodeError" in line["error"]
    assert all(line.startswith("{") for line in server.log)
