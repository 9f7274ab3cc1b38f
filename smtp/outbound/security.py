"""How a session to one host must be protected, and how it can fail to be: values.

DANE stands above MTA-STS (RFC 8461 §2), and both above opportunistic TLS (RFC 7435).
"""

from dataclasses import dataclass
from enum import Enum

from message.tls_rpt import PolicyType, ReportPolicy, ResultType
from net.dns_records import TlsaRecord
from smtp.outbound.connection import ConnectionFailed


class Need(Enum):
    """MAY: TLS if it works. ENCRYPTED: any certificate (TLSA records that nobody can use).
    WEB_PKI: a certificate that verifies for the host's name. DANE: one that its TLSA records name.
    """

    MAY = "may"
    ENCRYPTED = "encrypted"
    WEB_PKI = "web-pki"
    DANE = "dane"


class Wish(Enum):
    """The sender's: REQUIRED is the MAIL parameter REQUIRETLS, NOT_REQUIRED the header field
    `TLS-Required: No` (RFC 8689).
    """

    NONE = "none"
    REQUIRED = "required"
    NOT_REQUIRED = "not required"


@dataclass(frozen=True, slots=True)
class Security:
    """`domain` is whose mail goes there, "" where nothing is remembered or reported; `why` says
    whose wish `need` is. Without `enforce` a failure is reported and mail goes all the same. `sni`
    is the name to ask for if not the host's. With DANE `tlsa` are the usable records, `names` what
    a certificate below a trust anchor must be for. `once`: a session made so takes one message.
    """

    need: Need = Need.MAY
    enforce: bool = True
    domain: str = ""
    why: str = ""
    report: ReportPolicy | None = None
    sni: str = ""
    tlsa: tuple[TlsaRecord, ...] = ()
    names: tuple[str, ...] = ()
    once: bool = False

    @property
    def testing(self) -> bool:
        return self.need is not Need.MAY and not self.enforce


OPPORTUNISTIC = Security()
LENIENT = Security(once=True)
"""For a message that wants no policy followed: its session must not serve others."""


def no_policy(domain: str) -> Security:
    """TLS if it works, counted as such."""
    return Security(domain=domain, report=ReportPolicy(PolicyType.NONE, domain))


class TlsFailed(ConnectionFailed):
    """No session of the kind needed; `result` says why in the words of RFC 8460. `own_address` is
    where the connection came from, "" if there was none.
    """

    def __init__(self, result: ResultType, text: str) -> None:
        super().__init__(text)
        self.result = result
        self.own_address = ""
