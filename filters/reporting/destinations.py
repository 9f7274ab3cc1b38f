"""Whether a report may go where a record says: external destinations agree first (RFC 9990 §4)."""

from collections.abc import Iterable

from filters.authentication.dmarc_lookup import Walker
from message.address import AddressError, normalise_domain
from message.dmarc_record import ReportUri, parse_record
from net.dns import NoRecords, NoSuchName, Resolver

MAX_DESTINATIONS = 5


async def permitted(
    resolver: Resolver, domain: str, uris: Iterable[ReportUri], *, tag: str = "rua"
) -> list[ReportUri]:
    """The destinations that may be used, in order; `domain` is the record's.

    A destination in the same organization is its own; another one publishes a record at
    `DOMAIN._report._dmarc.HOST`, which may name an address of the same host instead.
    Raises DnsUnavailable.
    """
    walker = Walker(resolver)
    found: dict[str, ReportUri] = {}
    for uri in uris:
        host = _host(uri)
        if not host or len(found) >= MAX_DESTINATIONS:
            continue
        if await _is_internal(walker, domain, host):
            found.setdefault(uri.address, uri)
            continue
        for other in await _agreed(resolver, domain, host, uri, tag):
            found.setdefault(other.address, other)
    return list(found.values())[:MAX_DESTINATIONS]


async def _is_internal(walker: Walker, domain: str, host: str) -> bool:
    if host == domain:
        return True
    return await walker.organization(host) == await walker.organization(domain)


async def _agreed(
    resolver: Resolver, domain: str, host: str, uri: ReportUri, tag: str
) -> list[ReportUri]:
    name = f"{domain}._report._dmarc.{host}"
    if len(name) > 253:
        return []
    try:
        texts = await resolver.txt(name)
    except (NoSuchName, NoRecords):
        return []
    records = [record for text in texts if (record := parse_record(text)) is not None]
    if not records:
        return []
    instead = [one for record in records for one in (record.rua if tag == "rua" else record.ruf)]
    if not instead:
        return [uri]
    return instead if all(_host(one) == host for one in instead) else []


def _host(uri: ReportUri) -> str:
    """The domain of a mail address in A-labels, "" for what can't be sent to."""
    try:
        host = normalise_domain(uri.address.rpartition("@")[2]) if uri.address else ""
    except AddressError:
        return ""
    return "" if host.startswith("[") else host
