"""TLS contexts for connections that this server opens.

Opportunistic (RFC 7435): any certificate will do, since the alternative is no TLS at all.
Unverified: any certificate too, but nothing older than TLS 1.2, for what is verified by other
means. Verified: the system's trust anchors and the host name must fit.
"""

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientTls:
    """All contexts, made once; a context serves any number of connections."""

    opportunistic: ssl.SSLContext
    verified: ssl.SSLContext
    unverified: ssl.SSLContext = field(default_factory=lambda: _unverified())


def client_tls() -> ClientTls:
    """Reads the system's trust anchors: blocks for some milliseconds, call it at start."""
    return ClientTls(opportunistic_context(), verified_context())


def opportunistic_context() -> ssl.SSLContext:
    """Old mail servers offer short keys only, and plain text would be the fall-back."""
    context = _unverified()
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


def verified_context() -> ssl.SSLContext:
    """TLS 1.2 or newer, the system's trust anchors, the host's name. Blocks as `client_tls`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
