"""What a mechanism must know of a connection, from its socket and the configuration."""

import ssl

from auth.policy import plaintext_allowed
from auth.sasl.channel import Channel
from config.settings import Settings
from net.tls import client_names, end_point_of


def channel_of(tls: ssl.SSLObject | None, peer: str, settings: Settings) -> Channel:
    """`tls` is the session that ends in this process, None without; `peer` the IP address."""
    safe = plaintext_allowed(peer, tls is not None, settings)
    if tls is None:
        return Channel(safe)
    return Channel(safe, end_point_of(tls), client_names(tls))
