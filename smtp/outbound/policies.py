"""Which protection each host of a domain gets: MTA-STS, and what the sender wishes (RFC 8689).

Invariants: of a domain that enforces its policy no other host is used; a message that requires TLS
goes only to hosts that can prove who they are; one that wants none of it goes as if there were no
policies.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from message.mta_sts import Mode, StsPolicy, format_policy
from message.tls_rpt import PolicyType, ReportPolicy, ResultType
from smtp.outbound.hop import Hop
from smtp.outbound.mta_sts import StsFound, StsPolicies
from smtp.outbound.results import AttemptFailed, permanent, temporary
from smtp.outbound.security import Need, Security, no_policy
from smtp.outbound.tls_watch import TlsWatch
from storage.errors import StoreError


class Wish(Enum):
    """The sender's: REQUIRED is the MAIL parameter REQUIRETLS, NOT_REQUIRED the header field
    `TLS-Required: No` (RFC 8689).
    """

    NONE = "none"
    REQUIRED = "required"
    NOT_REQUIRED = "not required"


class TlsPolicies:
    """Answers for the sending side."""

    def __init__(self, sts: StsPolicies, watch: TlsWatch) -> None:
        self._sts, self._watch = sts, watch

    async def protect(self, domain: str, hops: Sequence[Hop], wish: Wish = Wish.NONE) -> list[Hop]:
        """Those of the hosts that may be used, each with what it must prove. Raises
        AttemptFailed when none is left.
        """
        if wish is Wish.NOT_REQUIRED:
            return list(hops)
        try:
            found = await self._sts.find(domain)
            if found.policy is not None and found.policy.mode is Mode.NONE:
                await self._watch.release(domain)
        except StoreError as error:
            raise AttemptFailed(temporary("4.3.0", f"TLS policies: {error}")) from None
        if found.failure is not None:
            host = f"mta-sts.{domain}"
            self._watch.failed(no_policy(domain), host, "", found.failure, found.reason)
        usable = self._by_sts(domain, hops, found)
        return _required(domain, usable) if wish is Wish.REQUIRED else usable

    def _by_sts(self, domain: str, hops: Sequence[Hop], found: StsFound) -> list[Hop]:
        policy = found.policy
        if policy is None or policy.mode is Mode.NONE:
            return [replace(hop, security=no_policy(domain)) for hop in hops]
        listed = _listed(domain, policy)
        usable: list[Hop] = []
        for hop in hops:
            if policy.allows(hop.host):
                usable.append(replace(hop, security=listed))
                continue
            text = f"{hop.host} is not in the MTA-STS policy of {domain}"
            self._watch.failed(listed, hop.host, "", ResultType.VALIDATION_FAILURE, text)
            if policy.mode is Mode.TESTING:
                usable.append(replace(hop, security=Security(domain=domain)))
        if not usable:
            names = ", ".join(hop.host for hop in hops)
            text = f"no mail host of {domain} ({names}) is in its MTA-STS policy"
            raise AttemptFailed(temporary("4.7.0", text))
        return usable


def _listed(domain: str, policy: StsPolicy) -> Security:
    lines = tuple(format_policy(policy).decode().split("\r\n")[:-1])
    return Security(
        Need.WEB_PKI,
        enforce=policy.mode is Mode.ENFORCE,
        domain=domain,
        why=f"the MTA-STS policy of {domain} asks for verified TLS",
        report=ReportPolicy(PolicyType.STS, domain, lines, policy.mx),
    )


def _required(domain: str, hops: Sequence[Hop]) -> list[Hop]:
    """RFC 8689 §4.2.1: the host's name must be trusted, and its certificate fit it."""
    usable = [
        replace(hop, security=replace(hop.security, enforce=True))
        for hop in hops
        if hop.security.need in (Need.WEB_PKI, Need.DANE)
    ]
    if not usable:
        text = (
            f"the message requires TLS (REQUIRETLS) and no mail host of {domain} can prove itself"
        )
        raise AttemptFailed(permanent("5.7.30", text))
    return usable
