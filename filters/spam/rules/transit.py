"""How a message came: what rules are told beside the message itself. Plain values, fit to be sent
to a worker process.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Transit:
    """`now` in seconds since 1970. `symbols` is what was found of it before. `user`: somebody who
    logged in sends it; `local`: it comes from a local network. `smtputf8`: raw UTF-8 was agreed on.
    """

    now: float
    sender: str = ""
    recipients: tuple[str, ...] = ()
    helo: str = ""
    address: str = ""
    reverse: str = ""
    symbols: frozenset[str] = frozenset()
    user: bool = False
    local: bool = False
    smtputf8: bool = False

    @property
    def stranger(self) -> bool:
        """Whether what the peer is may be held against it."""
        return bool(self.address) and not self.user and not self.local
