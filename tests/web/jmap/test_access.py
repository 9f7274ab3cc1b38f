"""IMAP says where JMAP is, to logins that are good for both (RFC 9698)."""

import http.client
import imaplib
import ssl

import pytest

from tests.support.jmap import ADA, basic
from tests.support.server import PASSWORD, ServerProcess


def access(server: ServerProcess, password: str) -> str | None:
    """The URL; None where it is neither announced nor told."""
    client = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    client.login(ADA, password)
    try:
        announced = "JMAPACCESS" in client.capability()[1][0].decode().split()
        imaplib.Commands["GETJMAPACCESS"] = ("AUTH", "SELECTED")
        try:
            client._simple_command("GETJMAPACCESS")
        except imaplib.IMAP4.error:
            assert not announced
            return None
        assert announced
        (url,) = client.response("JMAPACCESS")[1]
        return str(url.decode().strip('"'))
    finally:
        client.logout()


def test_the_url_leads_to_the_session_of_the_same_login(server: ServerProcess) -> None:
    url = access(server, PASSWORD)
    assert url == f"https://mx.example.test:{server.port('https')}/.well-known/jmap"
    made = server.perform("account.app-password.add", address=ADA, name="Both")
    assert access(server, made["secret"]) == url
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server.port("https"), context=context, timeout=20
    )
    connection.request("GET", "/.well-known/jmap", headers=basic(ADA, made["secret"]))
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("protocols", [["imap"], ["imap", "smtp"]], ids=["imap", "imap-smtp"])
def test_a_login_for_imap_alone_is_not_told(server: ServerProcess, protocols: list[str]) -> None:
    made = server.perform("account.app-password.add", address=ADA, name="Mail", protocols=protocols)
    assert access(server, made["secret"]) is None
