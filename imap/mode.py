"""What a client switched on that changes the form of responses, derived from ENABLE and CONDSTORE.

RFC 7162 §3.1 and §3.2.3, RFC 9586 §3.
"""

from collections.abc import Set
from typing import NamedTuple, Self


class Mode(NamedTuple):
    """`condstore`: flags never go without MODSEQ. `qresync`: every FETCH has its UID, and VANISHED
    stands for EXPUNGE. `uidonly`: no sequence number is ever sent.
    """

    condstore: bool = False
    qresync: bool = False
    uidonly: bool = False

    @classmethod
    def of(cls, enabled: Set[str], condstore: bool) -> Self:
        """Of the names that were enabled; QRESYNC brings CONDSTORE (RFC 7162 §3.2.3)."""
        qresync = "QRESYNC" in enabled
        return cls(condstore or qresync or "CONDSTORE" in enabled, qresync, "UIDONLY" in enabled)

    @property
    def vanished(self) -> bool:
        """Whether VANISHED is sent and not EXPUNGE."""
        return self.qresync or self.uidonly


PLAIN = Mode()
