"""TLS contexts for connections that this server opens.

Opportunistic (RFC 7435): any certificate will do, since the alternative is no TLS at all. Verified:
the system's trust anchors and the host name must fit.
"""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Both contexts, made once; a context serves any number of connections."""

    opportunistic: ssl.SSLContext
    verified: ssl.SSLContext


def client_tls() -> ClientTls:
    """Reads the system's trust anchors: blocks for some milliseconds, call it at start."""
    opportunistic = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    opportunistic.check_hostname = False
    opportunistic.verify_mode = ssl.CERT_NONE
    # Old mail servers offer short keys only, and plain text would be the fall-back.
    opportunistic.set_ciphers("DEFAULT:@SECLEVEL=1")
    return ClientTls(opportunistic, ssl.create_default_context())
