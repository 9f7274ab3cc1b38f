"""How long a connection may take for what, in seconds (RFC 5321 §4.5.3.2)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`command`: from one reply to the end of the next command line. `block`: between two pieces
    of message data; `data`: the whole message. `linger`: for the peer to take the last reply.
    """

    command: float = 300.0
    block: float = 180.0
    data: float = 3600.0
    auth: float = 120.0
    handshake: float = 30.0
    reply: float = 120.0
    memory: float = 10.0
    linger: float = 5.0
    stop: float = 10.0
