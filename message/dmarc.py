"""DMARC's decisions (RFC 9989 §4.10, §5.3): tree walk, Organizational Domain, policy, alignment.

All of it is pure: which names to ask comes from here, asking them is the filter's. Domains are
lower-case A-labels without a final dot.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from message.dmarc_record import Mode, Policy, Psd, Record

MAX_QUERIES = 8


@dataclass(frozen=True, slots=True)
class Found:
    """A record and the domain that publishes it."""

    domain: str
    record: Record


class Source(Enum):
    """Which tag of the record speaks for the author's domain."""

    P = "p"
    SP = "sp"
    NP = "np"


@dataclass(frozen=True, slots=True)
class Applied:
    """The policy for one author domain. `policy` is what the owner asks, `t=y` respected."""

    found: Found
    source: Source
    asked: Policy
    policy: Policy


def walk_names(domain: str) -> list[str]:
    """The domains to look at, longest first (RFC 9989 §4.10): at most MAX_QUERIES."""
    labels = domain.split(".")
    first = max(1, len(labels) - (MAX_QUERIES - 1)) if len(labels) > 1 else 1
    return [domain, *(".".join(labels[start:]) for start in range(first, len(labels)))]


def ends_walk(record: Record) -> bool:
    """Whether nothing above this record is looked at."""
    return record.psd is not Psd.UNKNOWN


def organizational_domain(start: str, walked: Sequence[Found]) -> str:
    """The Organizational Domain of `start`, from what its walk found, longest first (§4.10.2)."""
    for found in walked:
        if found.record.psd is Psd.NO:
            return found.domain
        if found.record.psd is Psd.YES and found.domain != start:
            return _below(start, found.domain)
    return walked[-1].domain if walked else start


def governing(author: str, walked: Sequence[Found]) -> Found | None:
    """The record that speaks for the author domain: its own, its organization's, its suffix's."""
    if walked and walked[0].domain == author:
        return walked[0]
    organization = organizational_domain(author, walked)
    for found in walked:
        if found.domain == organization:
            return found
    # Only a public suffix above the organization may speak for it when it does not itself.
    return walked[-1] if walked and walked[-1].record.psd is Psd.YES else None


def apply(author: str, found: Found, *, exists: bool = True) -> Applied:
    """The policy of a record for an author domain (§4.7: p, sp, np, t)."""
    record = found.record
    source, asked = Source.P, record.p
    if found.domain != author:
        if record.sp is not None:
            source, asked = Source.SP, record.sp
        if not exists and record.np is not None:
            source, asked = Source.NP, record.np
    return Applied(found, source, asked, asked.lowered() if record.testing else asked)


def may_align(author: str, other: str) -> bool:
    """Whether two domains can have an Organizational Domain in common at all."""
    return author.rpartition(".")[2] == other.rpartition(".")[2]


def is_aligned(mode: Mode, author: str, other: str, organizations: tuple[str, str]) -> bool:
    """Alignment of an authenticated domain (§4.4); the organizations are those of the two."""
    if author == other:
        return True
    return mode is Mode.RELAXED and organizations[0] == organizations[1]


def _below(start: str, suffix: str) -> str:
    """The part of `start` that has one label more than `suffix`."""
    labels = start.split(".")
    return ".".join(labels[-(suffix.count(".") + 2) :])
