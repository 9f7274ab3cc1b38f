"""TLS reporting: names of results, the policies they are counted under (RFC 8460 §4). Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class ResultType(Enum):
    """Why a session failed its policy (RFC 8460 §4.3)."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"


class PolicyType(Enum):
    """Which rule protected the sessions counted."""

    TLSA = "tlsa"
    STS = "sts"
    NONE = "no-policy-found"


@dataclass(frozen=True, slots=True)
class ReportPolicy:
    """`strings` are the lines of an MTA-STS policy or TLSA records in presentation form."""

    type: PolicyType
    domain: str
    strings: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()

    def text(self) -> str:
        """One canonical line of JSON, as a report has it (RFC 8460 §4.4)."""
        members: dict[str, object] = {"policy-type": self.type.value}
        if self.strings:
            members["policy-string"] = list(self.strings)
        members["policy-domain"] = self.domain
        if self.mx:
            members["mx-host"] = list(self.mx)
        return json.dumps(members, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What one session came to; without a type it was as the policy asks. `host` and `address` are
    the mail host's, `reason` one line in our own words, `own_address` where we sent from.
    """

    type: ResultType | None = None
    host: str = ""
    address: str = ""
    reason: str = ""
    own_address: str = ""

    def text(self) -> str:
        """One canonical line of JSON; `parse_result` gives the same value back."""
        members = {
            "type": self.type.value if self.type else "",
            "host": self.host,
            "address": self.address,
            "reason": self.reason,
            "from": self.own_address,
        }
        return json.dumps({key: value for key, value in members.items() if value})


def parse_result(text: str) -> SessionResult:
    """Raises ValueError for what is none."""
    members = json.loads(text)
    kind = members.get("type")
    return SessionResult(
        ResultType(kind) if kind else None,
        members.get("host", ""),
        members.get("address", ""),
        members.get("reason", ""),
        members.get("from", ""),
    )


def parse_record(texts: Sequence[bytes]) -> tuple[str, ...]:
    """The report addresses (mailto: and https: URIs) of the one TLSRPT record among TXT records;
    () when there is none, several, or a wrong one (RFC 8460 §3).
    """
    records = [text for text in texts if text.startswith(b"v=TLSRPTv1;")]
    if len(records) != 1 or not records[0].isascii():
        return ()
    for part in records[0].decode("ascii").split(";")[1:]:
        key, equals, value = part.strip(" \t").partition("=")
        if equals and key.strip(" \t") == "rua":
            uris = (uri.strip(" \t") for uri in value.split(","))
            return tuple(u for u in uris if u.lower().startswith(("mailto:", "https://")))[:10]
    return ()
