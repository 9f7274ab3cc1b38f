"""The TLSA record for our own certificate (RFC 7672 §3.1.1: DANE-EE, its key, SHA-256). Pure."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def tlsa_of(certificate: bytes) -> str:
    """`3 1 1 HEX` for the first certificate of a PEM file. Raises ValueError.

    It stays the same for as long as the key does, whoever renews the certificate.
    """
    key = x509.load_pem_x509_certificate(certificate).public_key()
    data = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"3 1 1 {hashlib.sha256(data).hexdigest()}"
