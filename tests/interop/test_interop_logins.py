"""One account, every mechanism, every listener, by clients of others (login_table.py), with each
kind of secret, with and without initial responses.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.interop.databases import both_databases
from tests.interop.login_peers import Peers
from tests.interop.login_table import Cell, Secret, cells
from tests.interop.site import HOST, Site
from tests.support.programs import need, run

pytestmark = both_databases
CELLS = [pytest.param(cell, id=cell.name) for cell in cells()]
# sievelib does not answer the last challenge, in which the server says why
DEAF = [("sievelib", "OAUTHBEARER"), ("sievelib", "XOAUTH2")]
FIRST = {(cell.peer, cell.mechanism): cell for cell in reversed(list(cells()))}
REFUSED = [pytest.param(cell, id=cell.name) for key, cell in FIRST.items() if key not in DEAF]


@pytest.fixture(scope="module")
def authority(folder: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(folder / "client-ca.pem"))
    return made


@pytest.fixture(scope="module")
def auth_keys(authority: trustme.CA, folder: Path) -> str:
    """What the server has more in [auth]."""
    return f'scram_sha_1 = true\nclient_ca = "{folder}/client-ca.pem"\n'


@pytest.fixture(scope="module")
def user(site: Site) -> str:
    return site.add_account("everybody").address


@pytest.fixture(scope="module")
def secrets(site: Site, user: str, authority: trustme.CA, folder: Path) -> dict[Secret, str]:
    app_password = site.server.perform("account.app-password.add", address=user, name="phone")
    token = site.server.perform("token.add", address=user, name="script")
    return {
        Secret.PASSWORD: "correct horse",
        Secret.APP_PASSWORD: str(app_password["secret"]),
        Secret.TOKEN: str(token["secret"]),
        Secret.CERTIFICATE: certificate(authority, folder, user),
    }


@pytest.fixture(scope="module")
def wrong(secrets: dict[Secret, str], authority: trustme.CA, folder: Path) -> dict[Secret, str]:
    return {
        Secret.PASSWORD: "wrong horse",
        Secret.APP_PASSWORD: secrets[Secret.APP_PASSWORD][::-1],
        Secret.TOKEN: "mst_" + "A" * 43,
        Secret.CERTIFICATE: certificate(authority, folder, "nobody@example.test"),
    }


def certificate(authority: trustme.CA, folder: Path, address: str) -> str:
    path = folder / f"{address}.pem"
    authority.issue_cert(address).private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def peers(site: Site, user: str, folder: Path) -> Iterator[Peers]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(site.ca_file))  # sievelib has no other way
        opened = Peers(site, user, folder)
        yield opened
        opened.close()


@pytest.mark.parametrize("cell", CELLS)
def test_logs_in(peers: Peers, secrets: dict[Secret, str], cell: Cell) -> None:
    for secret in cell.secrets:
        assert peers.logs_in(cell, secrets[secret]), secret


@pytest.mark.parametrize("cell", REFUSED)
def test_is_refused(peers: Peers, wrong: dict[Secret, str], cell: Cell) -> None:
    assert not peers.logs_in(cell, wrong[cell.secrets[-1]])


@pytest.mark.parametrize("kind", list(Secret)[:3], ids=lambda kind: kind.value)
def test_http(site: Site, user: str, secrets: dict[Secret, str], kind: Secret) -> None:
    """Only the account's own password opens a session; its token is good for IMAP."""
    need("curl")
    asked = json.dumps({"username": user, "password": secrets[kind]}).encode()
    done = run(
        *("curl", "--silent", "--max-time", "20", "--cacert", site.ca_file, "--data", "@-"),
        *("--header", "Content-Type: application/json", "--write-out", "\n%{http_code}"),
        f"https://{HOST}:{site.port('https')}/login",
        stdin=asked,
    )
    body, _, status = done.stdout.decode().rpartition("\n")
    assert status == ("200" if kind is Secret.PASSWORD else "401")
    if kind is Secret.PASSWORD:
        access = json.loads(body)["access_token"]
        cell = Cell("curl", "imaps", "OAUTHBEARER", True, (Secret.TOKEN,))
        assert Peers(site, user, site.server.folder).logs_in(cell, access)
