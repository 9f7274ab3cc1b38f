"""DANE: the TLSA records of a mail host, and whether its certificates fit them (RFC 7672).

Usages 2 (DANE-TA) and 3 (DANE-EE) count; 0 and 1 are unusable for SMTP (RFC 7672 §3.1.3). No
look-up and no time but what is passed in. `cryptography` checks signatures; what a chain means is
decided here.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import NameOID

from message.tls_rpt import ResultType
from net.dns_records import TlsaRecord
from smtp.outbound.security import TlsFailed

DANE_TA, DANE_EE = 2, 3
CERTIFICATE, PUBLIC_KEY = 0, 1
FULL, SHA_256, SHA_512 = 0, 1, 2
MAX_DEPTH = 10
MAX_SIGNATURES = 30
"""Signatures checked for one handshake, whatever the chain looks like."""

_LENGTHS = {SHA_256: 32, SHA_512: 64}


def usable(records: Iterable[TlsaRecord]) -> tuple[TlsaRecord, ...]:
    """Those that can prove something; of digests for one thing only the strongest kind counts
    (RFC 7671 §9).
    """
    known = [record for record in records if _is_usable(record)]
    best: dict[tuple[int, int], int] = {}
    for record in known:
        what = (record.usage, record.selector)
        best[what] = max(best.get(what, FULL), record.matching)
    return tuple(
        record
        for record in known
        if record.matching in (FULL, best[(record.usage, record.selector)])
    )


def presentation(record: TlsaRecord) -> str:
    """As in a zone file."""
    return f"{record.usage} {record.selector} {record.matching} {record.data.hex()}"


def verify(
    chain: Sequence[bytes], records: Sequence[TlsaRecord], names: Sequence[str], now: float
) -> None:
    """Raises TlsFailed unless the chain (DER, the host's own first) fits one of the usable records.

    `names` are what a certificate below a trust anchor must be for; DANE-EE binds the key alone,
    whatever its names and dates (RFC 7672 §3.1.1). `now` is Unix seconds.
    """
    if not chain:
        raise TlsFailed(ResultType.VALIDATION_FAILURE, "the host showed no certificate")
    leaf = _parsed(chain[0])
    if any(r.usage == DANE_EE and _fits(r, leaf) for r in records):
        return
    anchors = [record for record in records if record.usage == DANE_TA]
    if not anchors:
        raise TlsFailed(ResultType.VALIDATION_FAILURE, "its certificate fits no TLSA record")
    path = _Search(anchors, [*_others(chain[1:]), *_in_full(anchors)]).path(leaf)
    if path is None:
        raise TlsFailed(
            ResultType.VALIDATION_FAILURE, "its certificate leads to no trust anchor of TLSA"
        )
    _check_dates(path, now)
    if not any(name_fits(leaf, name) for name in names):
        raise TlsFailed(
            ResultType.CERTIFICATE_HOST_MISMATCH, f"its certificate is not for {names[0]}"
        )


def name_fits(leaf: x509.Certificate, name: str) -> bool:
    """A DNS name of the certificate, or its common name when it has none, is `name`; a star stands
    for the first label (RFC 7672 §3.2.3).
    """
    wanted = name.lower().rstrip(".")
    parent = wanted.partition(".")[2]
    return any(
        found == wanted or (found.startswith("*.") and "." in parent and found[2:] == parent)
        for found in _names(leaf)
    )


def _names(leaf: x509.Certificate) -> Iterator[str]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        found = []
    if not found:
        attributes = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found = [str(attribute.value) for attribute in attributes]
    return (name.lower().rstrip(".") for name in found)


def _is_usable(record: TlsaRecord) -> bool:
    return (
        record.usage in (DANE_TA, DANE_EE)
        and record.selector in (CERTIFICATE, PUBLIC_KEY)
        and record.matching in (FULL, SHA_256, SHA_512)
        and (len(record.data) == _LENGTHS.get(record.matching, len(record.data)) > 0)
    )


def _parsed(data: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError:
        raise TlsFailed(ResultType.VALIDATION_FAILURE, "its certificate can't be read") from None


def _others(chain: Sequence[bytes]) -> Iterator[x509.Certificate]:
    """What can't be read helps nobody up the chain."""
    for data in chain[:MAX_DEPTH]:
        try:
            yield x509.load_der_x509_certificate(data)
        except ValueError:
            continue


def _in_full(anchors: Sequence[TlsaRecord]) -> Iterator[x509.Certificate]:
    """Trust anchors that the records hold whole: the host need not show those (RFC 7671 §5.2.2)."""
    whole = [r.data for r in anchors if (r.selector, r.matching) == (CERTIFICATE, FULL)]
    return _others(whole)


def _fits(record: TlsaRecord, certificate: x509.Certificate) -> bool:
    if record.selector == CERTIFICATE:
        data = certificate.public_bytes(serialization.Encoding.DER)
    else:
        data = _public_key(certificate)
    if record.matching == FULL:
        return data == record.data
    digest = hashlib.sha256 if record.matching == SHA_256 else hashlib.sha512
    return digest(data).digest() == record.data


def _public_key(certificate: x509.Certificate) -> bytes:
    """SubjectPublicKeyInfo in DER as the certificate has it, also of a kind nobody here knows."""
    try:
        return certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, UnsupportedAlgorithm):
        return b""


class _Search:
    """Looks for a way from the leaf to a trust anchor, with a bound on the work."""

    def __init__(
        self, anchors: Sequence[TlsaRecord], candidates: Sequence[x509.Certificate]
    ) -> None:
        self._anchors, self._candidates = anchors, candidates
        self._left = MAX_SIGNATURES
        self._keys = [r.data for r in anchors if (r.selector, r.matching) == (PUBLIC_KEY, FULL)]

    def path(self, leaf: x509.Certificate) -> list[x509.Certificate] | None:
        """The certificates from the leaf to the anchor; without the anchor if it is a bare key."""
        return self._up([leaf])

    def _up(self, path: list[x509.Certificate]) -> list[x509.Certificate] | None:
        if any(self._signed_by_key(path[-1], key) for key in self._keys):
            return path
        if len(path) > MAX_DEPTH:
            return None
        for issuer in self._candidates:
            if issuer in path or not self._issued(path, issuer):
                continue
            longer = [*path, issuer]
            if any(_fits(record, issuer) for record in self._anchors):
                return longer
            if (found := self._up(longer)) is not None:
                return found
        return None

    def _issued(self, path: Sequence[x509.Certificate], issuer: x509.Certificate) -> bool:
        if path[-1].issuer != issuer.subject or not _may_issue(issuer, len(path) - 1):
            return False
        if self._left <= 0:
            return False
        self._left -= 1
        try:
            path[-1].verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True

    def _signed_by_key(self, certificate: x509.Certificate, key: bytes) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        try:
            _check_signature(certificate, key)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    """RFC 5280 §4.2.1.9; `below` counts the authorities between the issuer and the leaf."""
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return issuer.version is x509.Version.v1
    except (x509.DuplicateExtension, ValueError):
        return False
    return basic.ca and (basic.path_length is None or basic.path_length >= below)


def _check_signature(certificate: x509.Certificate, key: bytes) -> None:
    """Raises InvalidSignature and what else a strange key or signature brings about."""
    public = serialization.load_der_public_key(key)
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    algorithm = certificate.signature_hash_algorithm
    if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        public.verify(signature, signed)
        return
    if algorithm is None:
        raise ValueError("no digest")
    parameters = certificate.signature_algorithm_parameters
    if isinstance(public, rsa.RSAPublicKey) and isinstance(
        parameters, padding.PKCS1v15 | padding.PSS
    ):
        public.verify(signature, signed, parameters, algorithm)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, signed, ec.ECDSA(algorithm))
    else:
        raise ValueError("unknown kind of key")


def _check_dates(path: Sequence[x509.Certificate], now: float) -> None:
    at = datetime.fromtimestamp(now, UTC)
    for certificate in path:
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise TlsFailed(
                ResultType.CERTIFICATE_EXPIRED, "a certificate is not valid at this time"
            )
