"""dkimpy verifies, from what IMAP gives back, what it signed: the server keeps every octet.
And the server tells the same of it.
"""

import base64
import json
import smtplib

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.interop.site import HOST, Account, Site
from tests.support.dns_server import DnsServer
from tests.support.server import until

SELECTOR = b"key._domainkey.world.test."
BODIES = {
    "plain": b"Hello there.\r\n",
    "dots": b".\r\n..\r\n.leading\r\n",
    "blank lines at the end": b"text  \r\n\t\r\n\r\n\r\n",
    "no line end": b"the last line has no end",
    "8-bit": "Grüße, ça va?\r\n".encode(),
    "not UTF-8": b"latin \xe4\xf6\xfc\r\n",
    "long line": b"x" * 900 + b"\r\n",
    "empty": b"",
}


class Signer:
    """An RSA key, its record, and signatures by dkimpy."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def sign(self, message: bytes, form: tuple[bytes, bytes]) -> bytes:
        field = dkim.sign(message, b"key", b"world.test", self._pem, canonicalize=form)
        return bytes(field) + message

    def verify(self, message: bytes) -> bool:
        return bool(dkim.verify(message, dnsfunc=self._answer))

    def publish(self, dns: DnsServer) -> None:
        """The record, in strings of at most 255 octets."""
        text = self._record.decode()
        strings = (f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
        dns.set(SELECTOR.decode(), "TXT", " ".join(strings))

    def _answer(self, name: bytes, timeout: float = 5) -> bytes | None:
        return self._record if name == SELECTOR else None


@pytest.fixture(scope="module")
def signer(dns: DnsServer) -> Signer:
    made = Signer()
    made.publish(dns)
    return made


def message_with(body: bytes) -> bytes:
    return (
        b"From:  Someone <a@world.test>\r\nTo: b@example.test\r\n"
        b"Subject: folded \r\n\tand  spaced\r\n"
        b"Date: Mon, 2 Jan 2006 15:04:05 +0000\r\nMessage-ID: <d@world.test>\r\n\r\n" + body
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("form", [(b"simple", b"simple"), (b"relaxed", b"relaxed")], ids=str)
def test_signature_holds_from_smtp_to_imap(
    site: Site, account: Account, signer: Signer, form: tuple[bytes, bytes], body: bytes
) -> None:
    signed = signer.sign(message_with(body), form)
    assert signer.verify(signed)
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=20) as client:
        client.sendmail("a@world.test", [account.address], signed, ["BODY=8BITMIME"])
    found = site.wait_for(account, b"<d@world.test>")
    assert found != signed
    assert signer.verify(found)
    assert not signer.verify(found.replace(b"spaced", b"spoiled"))
    assert "R_DKIM_ALLOW" in symbols(site, account)


def symbols(site: Site, account: Account, number: int = 1) -> list[str]:
    """What the log says of that message of an account, which may come a little later."""

    def look() -> list[str] | None:
        lines = [json.loads(line) for line in site.server.log if '"event":"accepted"' in line]
        found = [line["symbols"] for line in lines if account.address in line["recipients"]]
        return found[number - 1] if len(found) >= number else None

    found = until(look, 20)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("body", [BODIES["plain"], b"a line of text\r\n" * 200_000])
def test_what_was_changed_on_its_way_is_told(
    site: Site, account: Account, signer: Signer, body: bytes
) -> None:
    """Small, and so large that it is spooled and hashed in another process."""
    signed = signer.sign(message_with(body), (b"relaxed", b"relaxed"))
    with smtplib.SMTP(HOST, site.port("smtp"), timeout=40) as client:
        client.sendmail("a@world.test", [account.address], signed)
        client.sendmail("a@world.test", [account.address], signed + b"more\r\n")
    assert "R_DKIM_ALLOW" in symbols(site, account)
    told = symbols(site, account, 2)
    assert "R_DKIM_REJECT" in told
    assert not {"R_DKIM_ALLOW", "R_DKIM_NA"}.intersection(told)


def test_signature_holds_after_append(site: Site, account: Account, signer: Signer) -> None:
    signed = signer.sign(message_with(BODIES["blank lines at the end"]), (b"simple", b"simple"))
    site.append(account, signed)
    assert site.messages(account) == [signed]
    assert signer.verify(site.messages(account)[0])
