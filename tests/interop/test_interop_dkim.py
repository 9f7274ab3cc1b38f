"""dkimpy verifies, from what IMAP gives back, what it signed: the server keeps every octet."""

import base64
import smtplib

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.interop.site import HOST, Account, Site

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

    def _answer(self, name: bytes, timeout: float = 5) -> bytes | None:
        return self._record if name == SELECTOR else None


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


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


def test_signature_holds_after_append(site: Site, account: Account, signer: Signer) -> None:
    signed = signer.sign(message_with(BODIES["blank lines at the end"]), (b"simple", b"simple"))
    site.append(account, signed)
    assert site.messages(account) == [signed]
    assert signer.verify(site.messages(account)[0])
