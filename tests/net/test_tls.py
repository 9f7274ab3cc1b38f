"""Certificates: self-signed where none is given, read again when changed, clear errors."""

import os
import ssl
from pathlib import Path

import pytest
import trustme

from net.tls import CertificateError, TlsContexts, check_pair


def write_pair(
    folder: Path, name: str, key_type: trustme.KeyType = trustme.KeyType.ECDSA
) -> tuple[Path, Path]:
    pair = trustme.CA().issue_cert(name, key_type=key_type)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    key.write_bytes(pair.private_key_pem.bytes())
    return certificate, key


def served_certificate(context: ssl.SSLContext) -> bytes:
    """The certificate that a client of the context is shown, by a handshake in memory."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server)
    far = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
    shown = near.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def test_a_self_signed_pair_is_made_once_with_a_private_key(tmp_path: Path) -> None:
    first = TlsContexts.create(None, None, tmp_path, "mx.example.test")
    second = TlsContexts.create(None, None, tmp_path, "mx.example.test")
    assert served_certificate(first.server()) == served_certificate(second.server())
    assert (tmp_path / "selfsigned.key").stat().st_mode & 0o077 == 0


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    contexts = TlsContexts(*write_pair(tmp_path, "a.test"))
    before = served_certificate(contexts.server())
    assert contexts.refresh() is False
    certificate, key = write_pair(tmp_path, "b.test")
    os.utime(certificate, (1, 1))
    os.utime(key, (1, 1))
    assert contexts.refresh() is True
    assert served_certificate(contexts.server()) != before


@pytest.mark.parametrize("first", list(trustme.KeyType))
def test_a_pair_with_another_kind_of_key_takes_the_place(
    tmp_path: Path, first: trustme.KeyType
) -> None:
    """Inside one OpenSSL context both would stand, and the client would choose."""
    (second,) = (kind for kind in trustme.KeyType if kind is not first)
    contexts = TlsContexts(*write_pair(tmp_path, "a.test", first))
    served = contexts.server()
    before = served_certificate(served)
    write_pair(tmp_path, "b.test", second)
    assert contexts.refresh() is True
    assert b"b.test" in served_certificate(served)
    assert served_certificate(served) != before


def test_other_files_can_be_used(tmp_path: Path) -> None:
    contexts = TlsContexts.create(None, None, tmp_path, "mx.example.test")
    served = contexts.server()
    certificate, key = write_pair(tmp_path, "b.test")
    assert contexts.use(certificate, key, tmp_path, "mx.example.test") is True
    assert contexts.use(certificate, key, tmp_path, "mx.example.test") is False
    assert b"b.test" in served_certificate(served)
    with pytest.raises(CertificateError, match=r"absent\.pem: No such file"):
        contexts.use(tmp_path / "absent.pem", key, tmp_path, "mx.example.test")
    assert contexts.certificate == certificate
    assert contexts.use(None, None, tmp_path, "mx.example.test") is True
    assert b"mx.example.test" in served_certificate(served)


def test_a_wrong_key_is_named_and_the_old_pair_stays(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path, "a.test")
    contexts = TlsContexts(certificate, key)
    before = served_certificate(contexts.server())
    other = tmp_path / "other"
    other.mkdir()
    _, wrong = write_pair(other, "b.test")
    key.write_bytes(wrong.read_bytes())
    os.utime(key, (1, 1))
    with pytest.raises(CertificateError, match="does not belong"):
        contexts.refresh()
    assert served_certificate(contexts.server()) == before


@pytest.mark.parametrize("content", [b"", b"not a certificate"])
def test_unusable_files_are_named(tmp_path: Path, content: bytes) -> None:
    certificate, key = write_pair(tmp_path, "a.test")
    certificate.write_bytes(content)
    with pytest.raises(CertificateError, match=str(certificate)):
        check_pair(certificate, key)
    with pytest.raises(CertificateError, match="No such file"):
        check_pair(tmp_path / "absent.pem", key)
