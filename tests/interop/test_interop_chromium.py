"""Passkeys with a browser of others: Chromium and its virtual authenticator, over HTTPS."""

import json
import shutil
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.programs import need, run
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA = "ada@example.test"
PEER = Path(__file__).with_name("chromium_peer.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    need("chromium")
    with ServerProcess(tmp_path_factory.mktemp("chromium"), configuration()) as running:
        running.perform("account.add", address=ADA, password=PASSWORD)
        yield running


def spki(server: ServerProcess) -> str:
    """What Chromium is told to trust: the server's self-signed key, and nothing else."""
    pem = ssl.get_server_certificate(("127.0.0.1", server.port("https")))
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    data = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(sha256(data).digest()).decode()


@pytest.fixture(scope="module")
def found(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What happened in the browser, which is started once."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    origin = f"https://mx.example.test:{server.port('https')}"
    home = tmp_path_factory.mktemp("home")
    done = run(
        *(sys.executable, PEER, chromium, origin, spki(server), ADA, PASSWORD),
        home=home,
        timeout=50,
    )
    return json.loads(done.stdout)


def test_chromium_makes_a_passkey_and_signs_in_by_it(found: Any, server: ServerProcess) -> None:
    assert found["registered"]["status"] == 201
    assert found["registered"]["body"]["name"] == "Chromium"
    assert len(found["registered"]["body"]["recovery_codes"]) == 10
    assert found["resident"] == [True]
    assert found["signed_in"]["status"] == 200
    assert found["signed_in"]["body"]["token_type"] == "Bearer"
    assert found["again"]["status"] == 401
    (kept,) = server.perform("account.passkey.list", address=ADA)
    assert kept["last_address"] == "127.0.0.1"


def test_chromium_gives_a_passkey_as_second_factor(found: Any) -> None:
    assert found["begun"]["status"] == 401
    assert found["begun"]["body"]["second_factor"] == ["passkey", "recovery_code"]
    assert found["second"]["status"] == 200


def test_the_page_logs_in_by_a_passkey(found: Any) -> None:
    assert f"As {ADA}." in found["page"]


def test_chromium_asks_for_no_passkey_of_another_site(found: Any) -> None:
    assert found["elsewhere"] == "SecurityError"
