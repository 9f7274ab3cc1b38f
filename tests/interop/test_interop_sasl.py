"""Mechanisms beyond PLAIN with clients of others: GNU SASL, aiosasl, Cyrus SASL in mbsync, curl,
imapflow, and Python's own.
"""

import imaplib
import smtplib
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from tests.interop.databases import both_databases
from tests.interop.mirror import Mirror
from tests.interop.site import HOST, Account, Site, simple
from tests.support.programs import need, run, unavailable
from tests.support.sasl_talk import scram_final
from tests.support.server import ROOT

pytestmark = both_databases
REFUSED = 67
IMAPFLOW = """
const { createRequire } = require('module');
const [packages, port, ca, user, accessToken] = process.argv.slice(1);
const { ImapFlow } = createRequire(packages + '/')('imapflow');
const client = new ImapFlow({ host: 'localhost', port: Number(port), secure: true, logger: false,
    auth: { user, accessToken }, tls: { ca: require('fs').readFileSync(ca) } });
client.connect().then(() => client.list()).then((all) => {
    console.log(all.map((one) => one.path).join(' ')); return client.logout();
}).catch((error) => { console.log('refused', error.oauthError || error.responseText); });
"""


@pytest.fixture
def token(site: Site, account: Account) -> str:
    made = site.server.perform("token.add", address=account.address, name="client")
    return str(made["secret"])


def gsasl(site: Site, protocol: str, mechanism: str, account: Account, password: str) -> str:
    """What the conversation was. GNU SASL knows other types of channel binding: --no-cb."""
    need("gsasl")
    ports = {"imap": "imap", "smtp": "submission"}
    done = run(
        "gsasl",
        f"--{protocol}",
        f"--connect={HOST}:{site.port(ports[protocol])}",
        "--starttls",
        f"--x509-ca-file={site.ca_file}",
        "--no-cb",
        f"--mechanism={mechanism}",
        f"--authentication-id={account.address}",
        f"--authorization-id={account.address}",
        f"--password={password}",
        "--verbose",
        stdin=b". LOGOUT\r\n" if protocol == "imap" else b"QUIT\r\n",
        expect=None,
    )
    return (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN"])
@pytest.mark.parametrize("protocol", ["imap", "smtp"])
def test_gsasl(site: Site, account: Account, protocol: str, mechanism: str) -> None:
    said = gsasl(site, protocol, mechanism, account, account.password)
    assert "Client authentication finished (server trusted)" in said, said
    said = gsasl(site, protocol, mechanism, account, "wrong")
    assert "server trusted" not in said


def test_aiosasl_binds_to_the_certificate(site: Site, account: Account) -> None:
    python = "/usr/bin/python3"
    if run(python, "-c", "import aiosasl", expect=None).returncode:
        unavailable("python3-aiosasl is not installed: scripts/test installs it")
    peer = Path(__file__).parent / "aiosasl_peer.py"
    where = (str(site.port("imaps")), site.ca_file, account.address)
    run(python, peer, *where, account.password)
    done = run(python, peer, *where, "wrong", expect=1)
    assert b"AUTHENTICATIONFAILED" in done.stderr


def test_mbsync_prefers_scram(site: Site, account: Account, tmp_path: Path) -> None:
    """With the account's password and with an app password."""
    site.append(account, simple("there"))
    made = site.server.perform(
        "account.app-password.add", address=account.address, name="mbsync", protocols=["imap"]
    )
    for number, password in enumerate((account.password, str(made["secret"]))):
        folder = tmp_path / str(number)
        folder.mkdir()
        mirror = Mirror(site, Account(account.address, password), folder)
        mirror.sync()
        assert mirror.flags() == {"there": ""}


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("scheme", ["imaps", "smtps"])
def test_curl_with_a_token(
    site: Site, account: Account, token: str, tmp_path: Path, scheme: str, mechanism: str
) -> None:
    need("curl")
    mail = tmp_path / "mail"
    mail.write_bytes(simple("by token", sender=account.address))
    port = site.port({"imaps": "imaps", "smtps": "submissions"}[scheme])

    def curl(secret: str, expect: int) -> bytes:
        sending = ("--mail-from", account.address, "--mail-rcpt", account.address)
        more = (*sending, "--upload-file", mail) if scheme == "smtps" else ()
        who = ("--user", account.address, "--oauth2-bearer", secret)
        quiet = ("--silent", "--show-error", "--max-time", "20", "--cacert", site.ca_file)
        options = ("--login-options", f"AUTH={mechanism}")
        return run(
            "curl", *quiet, *who, *options, *more, f"{scheme}://{HOST}:{port}/", expect=expect
        ).stdout

    listed = curl(token, 0)
    if scheme == "imaps":
        assert b"INBOX" in listed
    else:
        site.wait_for(account, b"Subject: by token")
    curl("mst_" + "A" * 43, REFUSED)


def test_imapflow_with_a_token(site: Site, account: Account, token: str) -> None:
    node, packages = Path(sys.executable).parent / "node", ROOT / "var" / "imapflow"
    if not node.exists() or not (packages / "node_modules" / "imapflow").is_dir():
        unavailable("imapflow is not installed: scripts/test installs it")
    where = (packages, str(site.port("imaps")), site.ca_file, account.address)
    assert b"INBOX" in run(node, "-e", IMAPFLOW, "--", *where, token).stdout
    assert run(node, "-e", IMAPFLOW, "--", *where, "mst_wrong").stdout.startswith(b"refused")


def test_python_imaplib(site: Site, account: Account, token: str) -> None:
    user, answers = account.address, list[bytes]()

    def scram(challenge: bytes) -> bytes:
        bare = f"n={user},r=imaplib"
        if not challenge:
            return f"n,,{bare}".encode()
        if challenge.startswith(b"v="):
            answers.append(challenge)
            return b""
        final, signature = scram_final("n,,", bare, challenge.decode(), account.password)
        answers.append(b"v=" + b64encode(signature))
        return b64decode(final)

    with imaplib.IMAP4_SSL(HOST, site.port("imaps"), ssl_context=site.tls()) as client:
        client.authenticate("SCRAM-SHA-256", scram)
        assert client.select()[0] == "OK"
    assert answers[0] == answers[1]
    with imaplib.IMAP4_SSL(HOST, site.port("imaps"), ssl_context=site.tls()) as client:
        message = f"user={user}\1auth=Bearer {token}\1\1".encode()
        client.authenticate("XOAUTH2", lambda challenge: message)
        assert client.select()[0] == "OK"


def test_python_smtplib(site: Site, account: Account, token: str) -> None:
    message = f"user={account.address}\1auth=Bearer {token}\1\1"
    with smtplib.SMTP_SSL(HOST, site.port("submissions"), context=site.tls()) as client:
        client.ehlo()
        assert client.auth("XOAUTH2", lambda challenge=None: message)[0] == 235
        client.sendmail(
            account.address, [account.address], simple("smtplib", sender=account.address)
        )
    site.wait_for(account, b"Subject: smtplib")
