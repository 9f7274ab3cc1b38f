"""The filter `spf` (RFC 7208): may this host send for the domain of HELO and for the sender's?

It looks at mail from strangers only. What it finds is for others to judge, `dmarc` above all,
unless `spf.reject` tells it to refuse a plain fail (5.7.23, RFC 7372 §3.2).
"""

from dataclasses import replace

from config.clock import Clock
from config.settings import Settings
from filters.authentication.results import Identity, Outcome, SpfResult
from filters.authentication.spf_check import Finding, check_host
from filters.authentication.spf_names import Client, is_name, plain_address
from filters.context import Context, Kind
from filters.filter import Filter
from filters.verdict import ACCEPT, Action, Verdict
from message.address import AddressError, normalise_domain, parse_mailbox
from net.dns import Resolver
from net.lookups import Lookups

MAX_TEXT = 400
SYMBOLS = {
    Outcome.PASS: "R_SPF_ALLOW",
    Outcome.FAIL: "R_SPF_FAIL",
    Outcome.SOFTFAIL: "R_SPF_SOFTFAIL",
    Outcome.NEUTRAL: "R_SPF_NEUTRAL",
    Outcome.NONE: "R_SPF_NA",
    Outcome.TEMPERROR: "R_SPF_DNSFAIL",
    Outcome.PERMERROR: "R_SPF_PERMFAIL",
}


class Spf(Filter):
    """The symbol is that of the sender's domain, of HELO for the null sender (RFC 7208 §2.4)."""

    name = "spf"

    def __init__(self, settings: Settings, resolver: Resolver, clock: Clock) -> None:
        self._reject = settings.spf.reject
        self._hostname = settings.hostname
        self._resolver, self._clock = resolver, clock

    async def mail(self, context: Context) -> Verdict:
        if context.kind is not Kind.MX or context.login is not None or context.peer.local:
            return ACCEPT
        results = await self._check(context)
        decisive = results[-1]
        verdict = Verdict(symbols=(SYMBOLS[decisive.outcome],), results=results)
        if not self._reject or decisive.outcome is not Outcome.FAIL:
            return verdict
        text = _refusal(decisive, context.peer.address)
        return replace(verdict, action=Action.REJECT, code=550, status="5.7.23", text=text)

    async def _check(self, context: Context) -> tuple[SpfResult, ...]:
        """At least one result, the one that counts last."""
        helo = _domain(context.helo)
        address = plain_address(context.peer.address)
        client = Client(address, helo or context.helo, self._hostname, self._clock.now())
        lookups = Lookups(self._resolver)
        results: tuple[SpfResult, ...] = ()
        if context.sender:
            # First: its time must not be used up by a HELO that the peer chose to be slow.
            local, domain = _sender(context.sender)
            finding = await check_host(lookups, client, local, domain)
            results = (_result(finding, Identity.MAIL_FROM, domain),)
        if helo or not context.sender:
            finding = await check_host(lookups, client, "postmaster", helo)
            results = (_result(finding, Identity.HELO, helo), *results)
        return results


def _result(finding: Finding, identity: Identity, domain: str) -> SpfResult:
    return SpfResult(finding.outcome, identity, domain, finding.reason, finding.explanation)


def _refusal(result: SpfResult, address: str) -> str:
    """RFC 7208 §8.4: words of the domain are marked as such. A reply line has 512 octets."""
    text = f"SPF: {result.domain} says that {address} does not send its mail"
    if result.explanation:
        text = f"{text}; it explains: {result.explanation}"
    return text[:MAX_TEXT]


def _sender(address: str) -> tuple[str, str]:
    """Local part, unquoted, and domain in A-labels."""
    try:
        mailbox = parse_mailbox(address)
    except AddressError:
        local, _, domain = address.rpartition("@")
        return local, _domain(domain)
    return mailbox.local, mailbox.domain


def _domain(text: str) -> str:
    """A-labels in lower case, "" for what is no domain: an address literal, a single label."""
    try:
        domain = normalise_domain(text.removesuffix("."))
    except AddressError:
        return ""
    return domain if is_name(domain) and "." in domain and domain[0] != "[" else ""
