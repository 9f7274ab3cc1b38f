"""What the authentication filters found, as values: they travel in Verdict.results to
Context.results, where later filters and the Authentication-Results field (RFC 8601) take them from.

`reason` is for people, in plain ASCII without secrets. Domains are A-labels in lower case.
"""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """Result names of RFC 8601 §2.7; each method uses those that it defines."""

    NONE = "none"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    POLICY = "policy"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Identity(Enum):
    """Which identity SPF was asked for (RFC 7208 §2.3, §2.4)."""

    HELO = "helo"
    MAIL_FROM = "mailfrom"


@dataclass(frozen=True, slots=True)
class SpfResult:
    """`explanation` is what the domain's exp= says of a fail, "" without."""

    outcome: Outcome
    identity: Identity
    domain: str
    reason: str = ""
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class DkimResult:
    """One signature: `domain` is d=, `selector` s=, `agent` i=, `tag` the first 8 characters of
    b=.
    """

    outcome: Outcome
    domain: str = ""
    selector: str = ""
    agent: str = ""
    algorithm: str = ""
    tag: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ArcResult:
    """NONE, PASS or FAIL of the chain (RFC 8617 §5.2). `sealers` are the d= of its seals and
    `claims` the values of its ARC-Authentication-Results, first instance first; both are empty
    unless it passed. `temporary`: DNS gave no answer, so that FAIL may be otherwise later.
    """

    outcome: Outcome
    sealers: tuple[str, ...] = ()
    claims: tuple[bytes, ...] = ()
    reason: str = ""
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """`domain` is that of the author (From), `organisation` of what fails its
    organizational domain, `policy`
    what it asks for, `disposition` what was done: none, quarantine or reject.
    """

    outcome: Outcome
    domain: str
    organisation: str = ""
    policy: str = ""
    disposition: str = "none"
    reason: str = ""


Result = SpfResult | DkimResult | ArcResult | DmarcResult
