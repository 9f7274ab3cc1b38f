"""DMARC beside authheaders, which finds organizations by the public suffix list (RFC 7489).

On generated zones and messages both must agree, or one of the rules below says why they do not.
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from random import Random
from typing import Any

import authheaders
import authheaders.dmarc_lookup
import authres
import pytest
from publicsuffix2 import PublicSuffixList

from filters.authentication.dmarc_evaluation import Evaluation, evaluate
from filters.authentication.dmarc_lookup import Walker
from filters.authentication.results import DkimResult, Identity, Outcome, SpfResult
from net.dns import Answer, NoSuchName, Resolver

CASES = 2_500
# Names below kawasaki.jp are public suffixes in the list: here one of them is an organization.
ORGANIZATIONS = ("example.com", "bank.co.uk", "shop.co.jp", "ab.org", "x.kawasaki.jp")
PREFIXES = ("", "", "mail.", "news.", "a.b.", "a.b.c.d.e.f.g.h.")


@dataclass(frozen=True)
class Case:
    """Records by domain, and a message: its author, the domains of SPF and DKIM, or ""."""

    zone: dict[str, str]
    existing: frozenset[str]
    author: str
    spf: str
    dkim: str


class Zone(Resolver):
    """Answers out of a case."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case

    async def txt(self, name: str) -> Answer[bytes]:
        found = self._case.zone.get(name.removeprefix("_dmarc."))
        if found is None:
            raise NoSuchName(name)
        return Answer([found.encode()], secure=False, name=name)

    async def a(self, host: str) -> Answer[str]:
        if host not in self._case.existing:
            raise NoSuchName(host)
        return Answer(["192.0.2.1"], secure=False, name=host)


def generate(random: Random) -> Case:
    organization = random.choice(ORGANIZATIONS)
    names = [prefix + organization for prefix in dict.fromkeys(PREFIXES)]
    zone = {name: _record(random) for name in names if random.random() < 0.25}
    if random.random() < 0.8:
        zone[organization] = _record(random)
    author = random.choice(PREFIXES) + organization
    return Case(
        zone,
        frozenset(name for name in names if random.random() < 0.7),
        author,
        _identity(random, author, organization),
        _identity(random, author, organization),
    )


def _record(random: Random) -> str:
    tags = [f"p={random.choice(('none', 'quarantine', 'reject'))}"]
    for tag, chance, values in (
        ("sp", 0.3, ("none", "quarantine", "reject")),
        ("np", 0.2, ("none", "quarantine", "reject")),
        ("adkim", 0.4, ("r", "s")),
        ("aspf", 0.4, ("r", "s")),
        ("t", 0.2, ("y", "n")),
        ("pct", 0.1, ("0", "50")),
        ("psd", 0.05, ("n", "u")),
    ):
        if random.random() < chance:
            tags.append(f"{tag}={random.choice(values)}")
    return "; ".join(["v=DMARC1", *tags])


def _identity(random: Random, author: str, organization: str) -> str:
    """A domain that passed: the author's own, a relative, a stranger, or nobody's."""
    return random.choice(
        (
            *("", "", author, organization),
            random.choice(PREFIXES) + organization,
            random.choice(PREFIXES) + random.choice(ORGANIZATIONS),
            *("evil.test", f"{author}.evil.test", organization.partition(".")[2]),
        )
    )


@lru_cache(maxsize=4096)
def psl_organization(domain: str) -> str:
    return str(suffixes().get_public_suffix(domain))


@lru_cache(maxsize=1)
def suffixes() -> Any:
    text = files("authheaders").joinpath("public_suffix_list.txt").read_text("utf-8")
    return PublicSuffixList(text.splitlines())


async def ours(case: Case) -> Evaluation:
    results: list[Any] = []
    if case.spf:
        results.append(SpfResult(Outcome.PASS, Identity.MAIL_FROM, case.spf))
    if case.dkim:
        results.append(DkimResult(Outcome.PASS, case.dkim))
    return await evaluate(Walker(Zone(case)), case.author, results)


def theirs(case: Case) -> tuple[str, str]:
    """(result, policy)."""

    def ask(name: str) -> str | None:
        if name.startswith("_dmarc."):
            return case.zone.get(name.removeprefix("_dmarc."))
        return "there" if name in case.existing else None

    spf = authres.SPFAuthenticationResult(result="pass", smtp_mailfrom=f"a@{case.spf}")
    dkim = authres.DKIMAuthenticationResult(result="pass", header_d=case.dkim)
    result, _, _, policy = authheaders.dmarc_per_from(
        case.author,
        spf_result=spf if case.spf else None,
        dkim_result=dkim if case.dkim else None,
        dnsfunc=ask,
    )
    return result, policy


def why_outcomes_differ(case: Case) -> str:
    """The standard changed, for a reason."""
    organization = psl_organization(case.author)
    above = [case.zone[name] for name in case.zone if name.endswith("." + organization)]
    if any("psd=n" in record for record in [*above, case.zone.get(organization, "")]):
        return "a record says that it is an organization of its own"
    listed = [psl_organization(one) for one in (case.author, case.spf, case.dkim) if one]
    if any(one.endswith(f".{name}") for one in listed for name in case.zone):
        return "a domain that the list takes for a suffix publishes a record"
    if organization not in case.zone:
        return "an organization without a record is found by the list alone"
    return ""


def why_policies_differ(case: Case) -> str:
    if "sp=" in case.zone.get(case.author, "") or "np=" in case.zone.get(case.author, ""):
        return "authheaders takes sp and np of the author's own record"
    return why_outcomes_differ(case)


@pytest.fixture
def quick_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is read once, not for every question."""
    for module in (authheaders, authheaders.dmarc_lookup):
        monkeypatch.setattr(module, "get_org_domain", psl_organization)


@pytest.mark.usefixtures("quick_list")
async def test_the_tree_walk_agrees_with_the_public_suffix_list() -> None:
    random, seen, outcomes = Random(9989), Counter[str](), Counter[Outcome]()
    for _ in range(CASES):
        case = generate(random)
        mine, (result, policy) = await ours(case), theirs(case)
        outcomes[mine.outcome] += 1
        if mine.outcome.value != result:
            reason = why_outcomes_differ(case)
            assert reason, (case, mine, result)
            seen[reason] += 1
            continue
        asked = mine.applied.asked.value if mine.applied is not None else ""
        if asked != policy:
            reason = why_policies_differ(case)
            assert reason, (case, mine, policy)
            seen[reason] += 1
            continue
        seen["agreed"] += 1
    assert seen["agreed"] >= 1_500 and len(seen) == 5, seen
    assert min(outcomes[one] for one in (Outcome.PASS, Outcome.FAIL, Outcome.NONE)) > 50
