"""The MTA-STS policy that other servers fetch from ours, and the TLSA record of our certificate."""

import hashlib
import http.client
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.load import load
from message.mta_sts import Mode, StsPolicy, parse_policy
from message.tlsa import tlsa_of
from tests.support.certificates import issue
from tests.support.server import ServerProcess, configuration
from web.mta_sts import own_policy

SECTION = '\n[mta_sts]\nmode = "enforce"\nmax_age = "1d"\nmx = ["mx.example.test", "*.b.test"]\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    config = configuration().replace('plaintext_from = ["127.0.0.0/8", "::1/128"]\n', "")
    with ServerProcess(tmp_path_factory.mktemp("policy"), config + SECTION) as running:
        yield running


def get(server: ServerProcess, host: str, *, tls: bool = True) -> tuple[int, str, bytes]:
    """Status, media type and body."""
    if tls:
        context = ssl.create_default_context(cafile=str(server.data / "selfsigned.pem"))
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", server.port("https"), timeout=10, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port("http"), timeout=10)
    connection.request("GET", "/.well-known/mta-sts.txt", headers={"Host": host})
    response = connection.getresponse()
    found = response.status, response.headers.get("Content-Type", ""), response.read()
    connection.close()
    return found


@pytest.mark.parametrize("host", ["mta-sts.example.test", "MTA-STS.example.TEST:443"])
def test_policy_of_a_served_domain(server: ServerProcess, host: str) -> None:
    status, media_type, body = get(server, host)
    assert (status, media_type.partition(";")[0]) == (200, "text/plain")
    wanted = StsPolicy(Mode.ENFORCE, 86_400, ("mx.example.test", "*.b.test"))
    assert parse_policy(body) == wanted
    assert own_policy(load(server.config)) == wanted


@pytest.mark.parametrize("host", ["example.test", "mta-sts.other.test", "mta-sts.", "[::x", "a b"])
def test_no_policy_for_others(server: ServerProcess, host: str) -> None:
    assert get(server, host)[0] in (400, 404)


def test_plain_http_has_none(server: ServerProcess) -> None:
    assert get(server, "mta-sts.example.test", tls=False)[0] == 308


def test_tlsa_record_names_the_key(server: ServerProcess) -> None:
    pem = (server.data / "selfsigned.pem").read_bytes()
    key = x509.load_pem_x509_certificate(pem).public_key()
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert tlsa_of(pem) == f"3 1 1 {hashlib.sha256(data).hexdigest()}"
    first = issue("one")
    assert tlsa_of(first.pem + issue("two").pem) == tlsa_of(first.pem)
    with pytest.raises(ValueError, match="PEM"):
        tlsa_of(b"nothing")
