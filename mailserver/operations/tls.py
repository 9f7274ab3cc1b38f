"""Operations on the transport security of other domains: show, forget."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from config.clock import rfc3339
from config.logging import get_logger
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from net.client_tls import client_tls
from net.https import HttpsClient
from smtp.outbound.dane import presentation
from smtp.outbound.hop import Hop
from smtp.outbound.mta_sts import StsPolicies, ascii_name
from smtp.outbound.policies import TlsPolicies
from smtp.outbound.results import AttemptFailed
from smtp.outbound.route import Router
from smtp.outbound.tls_watch import TlsWatch
from storage.transport_values import KeptPolicy, KnownLevel

Args = Mapping[str, Any]


async def tls_show(services: Services, args: Args) -> dict[str, Any]:
    """What is known of a domain, and which hosts mail to it goes to, looked up now. Args: domain.

    {domain, level, level_host, level_seen_at, policy, hosts, problem}.
    """
    domain = _domain(args)
    hosts, problem = await _hosts(services, domain)
    transport = services.store.transport
    return {
        "domain": domain,
        **_level(await transport.level(domain)),
        "policy": _policy(await transport.policy(domain)),
        "hosts": [_host(hop) for hop in hosts],
        "problem": problem,
    }


async def tls_forget(services: Services, args: Args) -> dict[str, int]:
    """The domain may do with less TLS than it had. Args: domain. {domains}."""
    domain = _domain(args)
    if services.server is not None:
        known = await services.server.outbound.watch.forget(domain)
    else:
        known = await services.store.transport.forget_level(domain)
    if not known:
        raise OperationError(f"nothing is known of the TLS of {domain}")
    return {"domains": 1}


def _domain(args: Args) -> str:
    text = str(args.get("domain", ""))
    name = ascii_name(text)
    if not name:
        raise OperationError(f"{text!r} is not a domain")
    return name


async def _hosts(services: Services, domain: str) -> tuple[Sequence[Hop], str]:
    """In the order of a next attempt, or why there would be none."""
    log, clock, transport = get_logger("tls"), services.clock, services.store.transport
    contexts = await services.offload.disk(client_tls)
    https = HttpsClient(services.resolver, services.offload, contexts.verified)
    sts = StsPolicies(transport, services.resolver, https, clock, log)
    watch = TlsWatch(transport, None, clock, log)
    policies = TlsPolicies(sts, services.resolver, watch)
    router = Router(services.settings, services.resolver, Random(), policies)
    try:
        return await router.route(domain), ""
    except AttemptFailed as error:
        return (), error.outcome.line
    finally:
        await sts.close()


def _level(known: KnownLevel | None) -> dict[str, Any]:
    return {
        "level": known.level.name.lower() if known else "unknown",
        "level_host": known.host if known else "",
        "level_seen_at": rfc3339(known.seen_at) if known else None,
    }


def _policy(kept: KeptPolicy | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {
        "mode": kept.mode,
        "mx": list(kept.mx),
        "max_age": kept.max_age,
        "id": kept.record,
        "fetched_at": rfc3339(kept.fetched_at),
        "expires_at": rfc3339(kept.expires),
    }


def _host(hop: Hop) -> dict[str, Any]:
    return {
        "host": hop.host,
        "addresses": list(hop.addresses),
        "dnssec": hop.named,
        "needs": hop.security.need.value if hop.security.enforce else "may",
        "why": hop.security.why,
        "tlsa": [presentation(record) for record in hop.security.tlsa],
    }
