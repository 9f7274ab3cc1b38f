"""The certificates that a TLS peer showed, which Python's ssl tells in its own way by version."""

import ssl
from typing import Any

MAX_CERTIFICATES = 20
_DER = 2
"""_ssl.ENCODING_DER, which has no public name before Python 3.13."""


def peer_chain(tls: ssl.SSLObject | ssl.SSLSocket | None) -> list[bytes]:
    """DER, the peer's own first; [] without TLS. Nothing about them is verified."""
    if tls is None:
        return []
    public: Any = getattr(tls, "get_unverified_chain", None)
    if public is not None:  # Python 3.13
        found: list[bytes] = list(public() or ())
        return found[:MAX_CERTIFICATES]
    chain: Any = tls._sslobj.get_unverified_chain()  # type: ignore[union-attr]
    return [each.public_bytes(_DER) for each in (chain or ())[:MAX_CERTIFICATES]]
