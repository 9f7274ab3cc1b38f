"""Where a message goes next, and how to talk there: values of routing and of the client."""

from dataclasses import dataclass, field
from enum import Enum

from smtp.outbound.dane import DANE_TA
from smtp.outbound.security import OPPORTUNISTIC, Security


class TlsUse(Enum):
    """IMPLICIT: TLS from the first byte. REQUIRED: STARTTLS or nothing. MAY: if it works."""

    IMPLICIT = "implicit"
    REQUIRED = "required"
    MAY = "may"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Login:
    """For AUTH at a smarthost."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hop:
    """One host to try, with its addresses in the order to try them. `tls`, `verify` and `login` are
    the operator's wishes for a smarthost; what protects mail to others is `security`.
    `named`: DNSSEC validated that the domain names this host; `secure`: its addresses too.
    `canonical` is where aliases of the host lead.
    """

    host: str
    addresses: tuple[str, ...]
    port: int
    tls: TlsUse = TlsUse.MAY
    verify: bool = False
    login: Login | None = None
    security: Security = OPPORTUNISTIC
    named: bool = False
    secure: bool = False
    canonical: str = ""

    @property
    def manner(self) -> tuple[object, ...]:
        """Whom it talks to and how: a session serves every domain for which this is the same."""
        need = self.security
        # A trust anchor's certificate may be for the domain alone.
        names = need.names if any(record.usage == DANE_TA for record in need.tlsa) else ()
        asked = (need.need, need.enforce, need.sni, need.tlsa, names)
        return (self.host, self.port, self.tls, self.verify, self.login, *asked)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each wait, as RFC 5321 §4.5.3.2 asks; tests shorten them."""

    connect: float = 30.0
    greeting: float = 300.0
    hello: float = 60.0
    tls: float = 30.0
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    block: float = 180.0
    final: float = 600.0
    quit: float = 5.0
