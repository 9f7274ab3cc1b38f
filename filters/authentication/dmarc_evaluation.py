"""What DMARC finds of one author domain, given what SPF and DKIM found (RFC 9989 §5.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from filters.authentication.dmarc_lookup import Walker
from filters.authentication.results import DkimResult, Identity, Outcome, Result, SpfResult
from message.dmarc import Applied, apply, governing, is_aligned, may_align
from message.dmarc_record import Mode

MAX_DKIM = 10


class Aligned(Enum):
    """What one mechanism says of the author; UNSURE while DNS does not answer."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`applied` is None without a record. `organisation` is the author's Organizational Domain, ""
    for what passes.
    """

    outcome: Outcome
    domain: str
    organisation: str = ""
    applied: Applied | None = None
    spf: Aligned = Aligned.FAIL
    dkim: Aligned = Aligned.FAIL


async def evaluate(walker: Walker, author: str, results: Sequence[Result]) -> Evaluation:
    """The outcome for one author domain. Raises DnsUnavailable when there is none."""
    found = governing(author, await walker.for_policy(author))
    if found is None:
        return Evaluation(Outcome.NONE, author)
    record = found.record
    exists = True
    if found.domain != author and record.np not in (None, record.sp or record.p):
        exists = await walker.exists(author)
    applied = apply(author, found, exists=exists)
    if not record.usable:
        return Evaluation(Outcome.PERMERROR, author, found.domain, applied)
    spf = await _aligned(walker, author, record.aspf, spf_identities(results))
    dkim = await _aligned(walker, author, record.adkim, _dkim_identities(results))
    outcome = _outcome(spf, dkim)
    # Nothing more is asked about a message that passes by its own domain.
    organisation = "" if outcome is Outcome.PASS else await walker.organization(author)
    return Evaluation(outcome, author, organisation, applied, spf, dkim)


def spf_identities(results: Iterable[Result]) -> list[tuple[str, Outcome]]:
    """The domain of the sender and what SPF says of it; of HELO only for the null sender."""
    spf = [one for one in results if isinstance(one, SpfResult)]
    sender = [one for one in spf if one.identity is Identity.MAIL_FROM]
    return [(one.domain, one.outcome) for one in sender or spf]


def _dkim_identities(results: Iterable[Result]) -> list[tuple[str, Outcome]]:
    signed = [one for one in results if isinstance(one, DkimResult) and one.domain]
    signed.sort(key=lambda one: one.outcome is not Outcome.PASS)
    return [(one.domain, one.outcome) for one in signed[:MAX_DKIM]]


async def _aligned(
    walker: Walker, author: str, mode: Mode, identities: Iterable[tuple[str, Outcome]]
) -> Aligned:
    """A temporary error counts only where its domain is aligned: others prove nothing anyway."""
    said = Aligned.FAIL
    for domain, outcome in dict.fromkeys(identities):
        if outcome not in (Outcome.PASS, Outcome.TEMPERROR):
            continue
        if not await _is_aligned(walker, author, mode, domain):
            continue
        if outcome is Outcome.PASS:
            return Aligned.PASS
        said = Aligned.UNSURE
    return said


async def _is_aligned(walker: Walker, author: str, mode: Mode, domain: str) -> bool:
    if domain == author:
        return True
    if mode is Mode.STRICT or not may_align(author, domain):
        return False
    organisations = (await walker.organization(author), await walker.organization(domain))
    return is_aligned(mode, author, domain, organisations)


def _outcome(spf: Aligned, dkim: Aligned) -> Outcome:
    if Aligned.PASS in (spf, dkim):
        return Outcome.PASS
    return Outcome.TEMPERROR if Aligned.UNSURE in (spf, dkim) else Outcome.FAIL
