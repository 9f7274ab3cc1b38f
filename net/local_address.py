"""Which addresses are this machine's own."""

import socket
from functools import lru_cache
from ipaddress import ip_address


@lru_cache(maxsize=1024)
def is_local(address: str) -> bool:
    """True when the machine has the address, or had it when it was first asked for."""
    return can_bind(address)


def can_bind(address: str) -> bool:
    """True when the machine has the address at this moment: a socket can be bound to it."""
    parsed = ip_address(address)
    if parsed.is_loopback or parsed.is_unspecified:
        return True
    family = socket.AF_INET6 if parsed.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
