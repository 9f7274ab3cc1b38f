"""The filter `dmarc` (RFC 9989): does who a message says it is from agree with who sent it?

It comes after `spf` and `dkim`, takes what they found, and like them looks at mail from strangers
only. It refuses or puts into Junk what fails,
as the domain's owner asks, and accepts whatever could not be decided.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from config.sections_filters import Dmarc as DmarcSettings
from filters.authentication.dmarc_evaluation import Evaluation, evaluate
from filters.authentication.dmarc_lookup import Walker
from filters.authentication.results import (
    ArcResult,
    DkimResult,
    DmarcResult,
    Outcome,
    SpfResult,
)
from filters.authentication.trusted_arc import vouching_sealer
from filters.context import Context, Kind
from filters.filter import Filter
from filters.verdict import ACCEPT, Action, Verdict, defer
from message.author import Author, author_of
from message.dmarc_record import Policy
from net.dns import DnsUnavailable, Resolver
from net.lookups import Lookups

_SYMBOLS = {
    Policy.NONE: "DMARC_POLICY_SOFTFAIL",
    Policy.QUARANTINE: "DMARC_POLICY_QUARANTINE",
    Policy.REJECT: "DMARC_POLICY_REJECT",
}

Arc = Callable[[Context], Awaitable[ArcResult]]
Record = Callable[[Context, Evaluation, DmarcResult], None]


class Dmarc(Filter):
    """`arc` validates the chain of a message that fails, where no earlier filter did.

    `record` are told of every evaluation that found a record, for reports.
    """

    name = "dmarc"

    def __init__(
        self,
        settings: DmarcSettings,
        resolver: Resolver,
        *,
        arc: Arc | None = None,
        record: Sequence[Record] = (),
    ) -> None:
        self._settings, self._resolver = settings, resolver
        self._arc, self._told = arc, tuple(record)

    async def data(self, context: Context) -> Verdict:
        if context.kind is not Kind.MX or context.login is not None or context.peer.local:
            return ACCEPT
        if context.message is None:
            return ACCEPT
        author = author_of(context.message.header)
        if author.several:
            return self._several(author)
        if not author.domain:
            return _told(DmarcResult(Outcome.NONE, "", reason="no author domain"), "DMARC_NA")
        if not _examined(context):
            result = DmarcResult(Outcome.TEMPERROR, author.domain, reason="spf or dkim failed")
            return _told(result, "DMARC_DNSFAIL")
        try:
            walker = Walker(Lookups(self._resolver))
            found = await evaluate(walker, author.domain, context.results)
        except DnsUnavailable:
            result = DmarcResult(Outcome.TEMPERROR, author.domain, reason="no answer from DNS")
            return _told(result, "DMARC_DNSFAIL")
        return await self._judge(context, found)

    def _several(self, author: Author) -> Verdict:
        """DMARC ends here (§5.3.1); what can't be judged is not shown in the inbox."""
        enforced = self._settings.enforce
        result = DmarcResult(
            Outcome.PERMERROR,
            author.domains[0] if author.domains else "",
            disposition="quarantine" if enforced else "none",
            reason="several author domains",
        )
        action = Action.JUNK if enforced else Action.ACCEPT
        return Verdict(action, symbols=("DMARC_SEVERAL_FROM",), results=(result,))

    async def _judge(self, context: Context, found: Evaluation) -> Verdict:
        if found.applied is None:
            return _told(DmarcResult(Outcome.NONE, found.domain), "DMARC_NA")
        asked = found.applied.policy
        if found.outcome is not Outcome.FAIL:
            symbol = _UNDECIDED[found.outcome]
            result = _result(found, Policy.NONE)
            verdict = _told(result, symbol)
        else:
            decision = await self._decide(context, found)
            if decision.unsure:
                return _CHAIN_UNKNOWN
            result = _result(found, decision.done, decision.reason)
            verdict = _refusal(result, found, decision.done, _SYMBOLS[asked])
            # What was validated here is told here: `arc` does not validate it again.
            verdict = replace(verdict, results=(*decision.chain, result))
        if found.outcome is not Outcome.PERMERROR:
            for tell in self._told:
                tell(context, found, result)
        return verdict

    async def _decide(self, context: Context, found: Evaluation) -> "_Decision":
        assert found.applied is not None
        asked = found.applied.policy
        if asked is Policy.NONE:
            return _Decision(asked)
        if not self._settings.enforce:
            return _Decision(Policy.NONE, "policy not enforced")
        trusted = self._settings.trusted_arc
        if not trusted:
            return _Decision(asked)
        known = tuple(one for one in context.results if isinstance(one, ArcResult))
        fresh = () if known or self._arc is None else (await self._arc(context),)
        for chain in (*known, *fresh):
            if chain.temporary:
                return _Decision(asked, unsure=True)
            sealer = vouching_sealer(chain, trusted, found.domain)
            if sealer:
                return _Decision(Policy.NONE, f"arc: {sealer} vouches", fresh)
        return _Decision(asked, chain=fresh)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What is done with a message that fails, and why less than the owner asks.

    `chain` is the ARC chain if it was validated for this. `unsure`: one that might vouch for the
    message could not be; then it is neither refused for good nor let through on nobody's word.
    """

    done: Policy
    reason: str = ""
    chain: tuple[ArcResult, ...] = ()
    unsure: bool = False


_CHAIN_UNKNOWN = defer(
    "The ARC chain of the message can't be validated now, try again later",
    status="4.4.3",
    code=451,
    symbol="DMARC_DNSFAIL",
)
_UNDECIDED = {
    Outcome.PASS: "DMARC_POLICY_ALLOW",
    Outcome.PERMERROR: "DMARC_BAD_POLICY",
    Outcome.TEMPERROR: "DMARC_DNSFAIL",
}


def _examined(context: Context) -> bool:
    """Whether both mechanisms said something: a filter that broke must not refuse mail."""
    kinds = {type(one) for one in context.results}
    return SpfResult in kinds and DkimResult in kinds


def _result(found: Evaluation, disposition: Policy, reason: str = "") -> DmarcResult:
    assert found.applied is not None
    return DmarcResult(
        found.outcome,
        found.domain,
        found.organisation,
        found.applied.policy.value,
        disposition.value,
        reason or ("no valid policy" if found.outcome is Outcome.PERMERROR else ""),
    )


def _told(result: DmarcResult, symbol: str) -> Verdict:
    return Verdict(symbols=(symbol,), results=(result,))


def _refusal(result: DmarcResult, found: Evaluation, done: Policy, symbol: str) -> Verdict:
    """Symbol and action of a message that fails."""
    if done is not Policy.REJECT:
        action = Action.JUNK if done is Policy.QUARANTINE else Action.ACCEPT
        return Verdict(action, symbols=(symbol,), results=(result,))
    assert found.applied is not None
    owner = found.applied.found.domain
    text = f"Message from {found.domain} is not authentic, refused by the DMARC policy of {owner}"
    return Verdict(
        Action.REJECT,
        symbols=(symbol,),
        results=(result,),
        code=550,
        status="5.7.1",
        text=text,
    )
