"""What a mail program is told: hosts, ports and how to log in, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from config.reach import Reach

_IMAP: Final = (("imaps", True), ("imap", False))
_SMTP: Final = (("submissions", True), ("submission", False))


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to a service: `implicit` is TLS from the first octet, else STARTTLS."""

    host: str
    port: int
    implicit: bool


@dataclass(frozen=True, slots=True)
class Offers:
    """`domain` in A-labels, `name` for people; `origin` of the web service may be ""."""

    domain: str
    name: str
    imap: Sequence[Offer]
    smtp: Sequence[Offer]
    origin: str


def offers_of(domain: str, name: str, reach: Reach) -> Offers:
    """For the addresses of a domain. Nothing without TLS is ever offered."""
    imap, smtp = (
        [Offer(reach.host, reach.ports[one], tls) for one, tls in ways if one in reach.ports]
        for ways in (_IMAP, _SMTP)
    )
    return Offers(domain, name or domain, imap, smtp, reach.origin)
