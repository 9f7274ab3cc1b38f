"""What mail programs are told of the server, as they ask for it: Thunderbird's autoconfig,
Outlook's Autodiscover, Apple's profiles, on both databases.

The requests of Thunderbird and Outlook are written from what is known of them, not recorded.
"""

import http.client
import plistlib
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from tests.interop.databases import both_databases
from tests.support.certificates import issue
from tests.support.http_api import ask
from tests.support.server import ServerProcess, configuration

pytestmark = both_databases
ADA = "ada@example.test"
EXTRA = """
[discovery]
host = "mail.example.test"
imaps = 993
name = "Example & Sons"
"""
DOMAINS = ("example.test", "xn--mller-kva.test")
ELSEWHERE = '["192.0.2.0/24"]'
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
ASKED = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request><EMailAddress>{}</EMailAddress>
  <AcceptableResponseSchema>{}</AcceptableResponseSchema></Request>
</Autodiscover>"""


@pytest.fixture(scope="module")
def server(database: str, folder: Path) -> Iterator[ServerProcess]:
    whole = configuration(domains=DOMAINS, database=database, extra=EXTRA)
    # logins without TLS from elsewhere only: these clients come by plain HTTP like strangers
    text = whole.replace('["127.0.0.0/8", "::1/128"]', ELSEWHERE)
    own = issue("mail.example.test", dns=("mail.example.test", "mx.example.test"))
    (folder / "certificate.pem").write_bytes(own.pem)
    (folder / "key.pem").write_bytes(own.key_pem)
    text += '[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n'
    with ServerProcess(folder, text) as running:
        yield running


def _get(
    server: ServerProcess,
    path: str,
    host: str = "mx.example.test",
    method: str = "GET",
    body: str = "",
) -> tuple[int, Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=20)
    try:
        connection.request(method, path, body.encode() or None, {"Host": host})
        response = connection.getresponse()
        return response.status, dict(response.headers.items()), response.read()
    finally:
        connection.close()


def _texts(element: Element, path: str, space: str = "") -> list[str]:
    names = "/".join(f"{{{space}}}{name}" if space else name for name in path.split("/"))
    return [one.text or "" for one in element.findall(names)]


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("autoconfig.example.test", f"/mail/config-v1.1.xml?emailaddress={ADA}"),
        ("example.test", f"/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress={ADA}"),
        ("autoconfig.example.test", "/mail/config-v1.1.xml"),
        ("example.test", "/.well-known/autoconfig/mail/config-v1.1.xml"),
    ],
    ids=["thunderbird-host", "thunderbird-well-known", "host-alone", "well-known-alone"],
)
def test_autoconfig_as_thunderbird_asks(server: ServerProcess, host: str, path: str) -> None:
    status, headers, body = _get(server, path, host)
    assert (status, headers["content-type"]) == (200, "application/xml")
    root = fromstring(body)
    (provider,) = root.findall("emailProvider")
    assert provider.get("id") == "example.test" and _texts(provider, "domain") == ["example.test"]
    assert _texts(provider, "displayName") == ["Example & Sons"]
    servers = [
        tuple(one.findtext(name) for name in ("hostname", "port", "socketType"))
        for kind in ("incomingServer", "outgoingServer")
        for one in provider.findall(kind)
    ]
    starttls, sending = server.port("imap"), server.port("submission")
    assert servers == [
        ("mail.example.test", "993", "SSL"),
        ("mail.example.test", str(starttls), "STARTTLS"),
        ("mail.example.test", str(server.port("submissions")), "SSL"),
        ("mail.example.test", str(sending), "STARTTLS"),
    ]
    for kind in ("incomingServer", "outgoingServer"):
        for one in provider.findall(kind):
            assert _texts(one, "authentication") == ["password-cleartext"]
            assert _texts(one, "username") == ["%EMAILADDRESS%"]


def test_autoconfig_of_domains(server: ServerProcess) -> None:
    path = "/mail/config-v1.1.xml?emailaddress=a@m%C3%BCller.test"
    root = fromstring(_get(server, path)[2])
    assert _texts(root, "emailProvider/domain") == ["xn--mller-kva.test"], "as A-labels"
    for asked in ("?emailaddress=a@other.test", "?emailaddress=a@%00", "?emailaddress=@", ""):
        status, headers, _ = _get(server, f"/mail/config-v1.1.xml{asked}", "mx.other.test")
        assert (status, headers["content-type"]) == (404, "application/problem+json"), asked


@pytest.mark.parametrize(
    "path",
    [
        "/autodiscover/autodiscover.xml",
        "/Autodiscover/Autodiscover.xml",
        "/AutoDiscover/AUTODISCOVER.XML",
    ],
    ids=["lower", "capitals", "mixed"],
)
def test_autodiscover_as_outlook_asks(server: ServerProcess, path: str) -> None:
    status, headers, body = _get(server, path, method="POST", body=ASKED.format(ADA, OUTLOOK))
    assert (status, headers["content-type"]) == (200, "application/xml")
    (response,) = list(fromstring(body))
    assert response.tag == f"{{{OUTLOOK}}}Response"
    assert _texts(response, "User/DisplayName", OUTLOOK) == [ADA]
    accounts = response.findall(f"{{{OUTLOOK}}}Account")
    assert len(accounts) == 1, "Outlook reads the first one only"
    names = ("Type", "Server", "Port", "LoginName", "SPA", "SSL", "Encryption", "AuthRequired")
    told = [
        tuple(one.findtext(f"{{{OUTLOOK}}}{name}") for name in names)
        for one in accounts[0].findall(f"{{{OUTLOOK}}}Protocol")
    ]
    imap, sending = str(server.port("imap")), str(server.port("submission"))
    at = "mail.example.test"
    assert told == [
        ("IMAP", at, "993", ADA, "off", "on", "SSL", "on"),
        ("IMAP", at, imap, ADA, "off", "on", "TLS", "on"),
        ("SMTP", at, str(server.port("submissions")), ADA, "off", "on", "SSL", "on"),
        ("SMTP", at, sending, ADA, "off", "on", "TLS", "on"),
    ]
    assert fromstring(_get(server, f"{path}?Email={ADA}")[2]).findtext(f".//{{{OUTLOOK}}}Port")


BOMB = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><EMailAddress>&d;</EMailAddress>'
OUTSIDE = f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>{ASKED.partition("?>")[2]}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (ASKED.format("a@other.test", OUTLOOK), "500"),
        (ASKED.format(ADA, "http://schemas.microsoft.com/mobilesync/2006"), "601"),
        (ASKED.format("nobody", OUTLOOK), "600"),
        ("<Autodiscover", "600"),
        ("", "600"),
        (BOMB, "600"),
        (OUTSIDE.format("&b;", OUTLOOK), "600"),
        ("<a>" * 5_000, "600"),
    ],
    ids=["domain", "schema", "address", "cut", "empty", "bomb", "entity", "deep"],
)
def test_autodiscover_refuses_in_its_own_words(server: ServerProcess, body: str, code: str) -> None:
    status, _, answer = _get(server, "/autodiscover/autodiscover.xml", method="POST", body=body)
    assert status == 200
    (error,) = fromstring(answer).findall(".//{*}Error")
    assert error.findtext("{*}ErrorCode") == code and b"root:" not in answer


def test_autodiscover_by_get_leads_to_https(server: ServerProcess) -> None:
    status, headers, _ = _get(server, "/autodiscover/autodiscover.xml", "autodiscover.example.test")
    port = server.port("https")
    assert status == 302
    assert headers["location"] == f"https://mail.example.test:{port}/autodiscover/autodiscover.xml"
    body = "x" * 20_000
    assert _get(server, "/autodiscover/autodiscover.xml", method="POST", body=body)[0] == 413


def test_autodiscover_version_2(server: ServerProcess) -> None:
    for path in (
        f"/autodiscover/autodiscover.json?Email={ADA}&Protocol=AutodiscoverV1",
        f"/Autodiscover/Autodiscover.json?email={ADA}&protocol=autodiscoverv1",
    ):
        answer = ask(server, "GET", path, None)
        assert (answer.status, answer.body["Protocol"]) == (200, "AutodiscoverV1")
        assert answer.body["Url"].endswith("/autodiscover/autodiscover.xml")
    refused = ask(server, "GET", f"/autodiscover/autodiscover.json?Email={ADA}&Protocol=Rest", None)
    assert (refused.status, refused.body["ErrorCode"]) == (400, "InvalidProtocol")


def test_other_paths_of_strangers_are_sent_to_https(server: ServerProcess) -> None:
    for path in ("/.well-known/security.txt", f"/mail/apple.mobileconfig?email={ADA}"):
        assert _get(server, path)[0] == 308, path


def _secure(server: ServerProcess, path: str) -> tuple[int, Mapping[str, str], bytes]:
    context = ssl.create_default_context(cafile=server.folder / "certificate.pem")
    context.check_hostname = False
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server.port("https"), timeout=20, context=context
    )
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, dict(response.headers.items()), response.read()
    finally:
        connection.close()


def _content(server: ServerProcess, signed: bytes) -> bytes:
    """What was signed with the server's certificate."""
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-purpose", "any"]
    command += ["-CAfile", str(server.folder / "certificate.pem")]
    done = subprocess.run(command, input=signed, capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _payloads(profile: bytes) -> dict[str, dict[str, Any]]:
    whole = plistlib.loads(profile)
    assert whole["PayloadType"] == "Configuration"
    return {one["PayloadType"]: one for one in whole["PayloadContent"]}


def test_a_profile_for_apple(server: ServerProcess) -> None:
    path = f"/mail/apple.mobileconfig?email={ADA}&name=Ada%20L%C3%B6w"
    status, headers, body = _secure(server, path)
    assert (status, headers["content-type"]) == (200, "application/x-apple-aspen-config")
    found = _payloads(_content(server, body))
    mail = found["com.apple.mail.managed"]
    assert (mail["EmailAddress"], mail["EmailAccountName"]) == (ADA, "Ada Löw")
    assert (mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]) == (
        "mail.example.test",
        993,
    )
    assert mail["OutgoingMailServerPortNumber"] == server.port("submissions")
    assert mail["IncomingMailServerUseSSL"] and mail["OutgoingMailServerUseSSL"]
    book = found["com.apple.carddav.account"]
    assert (book["CardDAVHostName"], book["CardDAVPort"]) == (
        "mail.example.test",
        server.port("https"),
    )
    assert _payloads(_content(server, _secure(server, path)[2])) == found, "the same identifiers"
    status, _, body = _secure(server, f"{path}%01%00x")
    assert status == 200
    named = _payloads(_content(server, body))["com.apple.mail.managed"]["EmailAccountName"]
    assert named == "Ada Löw  x"
    for wrong in ("?email=a@other.test", "?email=nobody", ""):
        assert _secure(server, f"/mail/apple.mobileconfig{wrong}")[0] == 404


def test_security_txt(server: ServerProcess) -> None:
    status, headers, body = _secure(server, "/.well-known/security.txt")
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    lines = dict(line.split(": ", 1) for line in body.decode().splitlines())
    assert lines["Contact"] == "mailto:postmaster@mx.example.test"
    assert lines["Expires"].endswith("T00:00:00Z")
    assert lines["Canonical"].endswith("/.well-known/security.txt")
