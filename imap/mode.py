"""What a client switched on that changes the form of responses, derived from ENABLE and CONDSTORE.

RFC 7162 §3.1 and §3.2.3, RFC 9586 §3, RFC 9755 §3, RFC 9051 appendix A.
"""

from collections.abc import Set
from typing import NamedTuple, Self


class Mode(NamedTuple):
    """`condstore`: flags never go without MODSEQ. `qresync`: every FETCH has its UID, and VANISHED
    stands for EXPUNGE. `uidonly`: no sequence number is ever sent. `utf8`: names, headers and what
    comes of them go in UTF-8, by `accept` (UTF8=ACCEPT) or by `rev2` (IMAP4rev2).
    """

    condstore: bool = False
    qresync: bool = False
    uidonly: bool = False
    utf8: bool = False
    rev2: bool = False
    accept: bool = False

    @classmethod
    def of(cls, enabled: Set[str], condstore: bool) -> Self:
        """Of the names that were enabled; QRESYNC brings CONDSTORE (RFC 7162 §3.2.3)."""
        qresync = "QRESYNC" in enabled
        rev2 = "IMAP4REV2" in enabled
        return cls(
            condstore=condstore or qresync or "CONDSTORE" in enabled,
            qresync=qresync,
            uidonly="UIDONLY" in enabled,
            utf8=rev2 or "UTF8=ACCEPT" in enabled,
            rev2=rev2,
            accept="UTF8=ACCEPT" in enabled,
        )

    @property
    def vanished(self) -> bool:
        """Whether VANISHED is sent and not EXPUNGE."""
        return self.qresync or self.uidonly


PLAIN = Mode()
