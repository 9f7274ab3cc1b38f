"""Whether forwarders that the operator trusts vouch for a message (RFC 8617 §7.2).

A seal covers what earlier instances claimed, and nothing that happens afterwards: so only the
claims of trusted sealers count that no other sealer has touched since.
"""

import re
from collections.abc import Collection

from filters.authentication.results import ArcResult, Outcome
from message.authentication_results import parse_results

_INSTANCE = re.compile(rb"\s*i\s*=\s*\d+\s*;", re.IGNORECASE)


def vouching_sealer(arc: ArcResult, trusted: Collection[str], author: str) -> str:
    """The trusted sealer that saw DMARC pass for the author's domain, or ""."""
    if arc.outcome is not Outcome.PASS:
        return ""
    instances = list(zip(arc.sealers, arc.claims, strict=False))
    for sealer, claim in reversed(instances):
        if not is_trusted(sealer, trusted):
            return ""
        if _passed(claim, author):
            return sealer
    return ""


def is_trusted(domain: str, trusted: Collection[str]) -> bool:
    """A trusted domain's subdomains are trusted too."""
    return any(domain == one or domain.endswith(f".{one}") for one in trusted)


def _passed(claim: bytes, author: str) -> bool:
    for one in parse_results(_INSTANCE.sub(b"", claim, count=1)).statements:
        if (one.method, one.result) == ("dmarc", "pass"):
            return one.value("header", "from").lower() in ("", author)
    return False
