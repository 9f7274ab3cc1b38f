"""The records that a domain needs in DNS, and whether DNS serves them."""

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from config.reach import reach_of
from config.settings import Settings
from config.smarthost import parse_smarthost
from filters.signing.keyring import Key
from filters.signing.published import publishes
from message import dmarc_record, mta_sts, spf_record, tls_rpt
from message.mta_sts import policy_id
from message.tlsa import tlsa_of
from message.zone import ZoneRecord
from net.dns import DnsUnavailable, NoRecords, NoSuchName, Questions
from net.tls import SELF_SIGNED
from smtp.outbound.dane import presentation
from web.mta_sts import own_policy

SERVICES: Final = (
    # service, listener, purpose: RFC 6186, RFC 8314 §5.1, RFC 8620 §2.2, RFC 6764, RFC 5804 §1.8
    ("imaps", "imaps", "IMAP over TLS"),
    ("imap", "imap", "IMAP with STARTTLS"),
    ("submissions", "submissions", "sending over TLS"),
    ("submission", "submission", "sending with STARTTLS"),
    ("sieve", "managesieve", "Sieve scripts by mail programs"),
    ("jmap", "https", "JMAP"),
    ("carddavs", "https", "CardDAV"),
    ("autodiscover", "https", "Outlook's Autodiscover"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record, what it is for, whether mail suffers without it, and how to tell that what DNS
    serves in its place does as well.
    """

    record: ZoneRecord
    purpose: str
    needed: bool
    fits: Callable[[list[bytes]], bool]


@dataclass(frozen=True, slots=True)
class Served:
    """`state`: ok, missing, differs or unknown (DNS gave no answer); `found` is what it serves."""

    state: str
    found: tuple[str, ...]


def wanted_records(
    domain: str, settings: Settings, keys: tuple[Key, ...], certificate: bytes | None = None
) -> list[Wanted]:
    """In the order in which they are published; `certificate` is ours in PEM."""
    host = settings.hostname
    report = f"mailto:{settings.reports.address or f'postmaster@{domain}'}"
    sender = f"v=spf1 mx{_smarthost(settings)} -all"
    return [
        _wanted(domain, "MX", f"10 {host}.", "mail for the domain comes here", _is_mx(host)),
        *_addresses(settings),
        _wanted(domain, "TXT", sender, "SPF: who sends for the domain", _is_spf),
        *([] if host == domain else [_helo(host)]),
        *(_key(key) for key in keys),
        _wanted(
            f"_dmarc.{domain}",
            "TXT",
            f"v=DMARC1; p=quarantine; rua={report}",
            "DMARC: what becomes of forgeries",
            lambda found: dmarc_record.select_record(found) is not None,
        ),
        *_agreement(domain, settings),
        _wanted(
            f"_smtp._tls.{domain}",
            "TXT",
            f"v=TLSRPTv1; rua={report}",
            "TLS-RPT: where others report failures of TLS",
            lambda found: bool(tls_rpt.parse_record(found)),
            needed=False,
        ),
        _wanted(
            f"_mta-sts.{domain}",
            "TXT",
            f"v=STSv1; id={policy_id(own_policy(settings))}",
            f"MTA-STS: where mta-sts.{domain} leads here, and its certificate too",
            lambda found: mta_sts.parse_record(found) is not None,
            needed=False,
        ),
        *_services(domain, settings),
        *_tlsa(host, certificate),
    ]


def _services(domain: str, settings: Settings) -> list[Wanted]:
    """How mail programs find the server by themselves."""
    reach = reach_of(settings)
    found: list[Wanted] = []
    for service, listener, purpose in SERVICES:
        name = f"_{service}._tcp.{domain}"
        port = reach.ports.get(listener)
        if port is not None:
            value = f"0 1 {port} {reach.host}."
            fits = _is_service(port, reach.host)
            found.append(_wanted(name, "SRV", value, purpose, fits, needed=False))
    if reach.origin:
        name, purpose = f"_carddavs._tcp.{domain}", "CardDAV: where the address books are"
        path = b"path=/dav/"
        found.append(
            _wanted(name, "TXT", path.decode(), purpose, lambda found: path in found, needed=False)
        )
        for host in ("autoconfig", "autodiscover", "mta-sts"):
            purpose = f"{host}: leads here, and its certificate too"
            target = f"{reach.host}."
            found.append(
                _wanted(f"{host}.{domain}", "CNAME", target, purpose, _is(target), needed=False)
            )
    return found


def _is(text: str) -> Callable[[list[bytes]], bool]:
    return lambda found: text.encode() in found


def _is_service(port: int, host: str) -> Callable[[list[bytes]], bool]:
    """Whatever priority and weight."""
    return lambda found: any(
        text.split(b" ")[2:] == [b"%d" % port, b"%b." % host.encode()] for text in found
    )


def _agreement(domain: str, settings: Settings) -> list[Wanted]:
    """A report host in another domain says that it takes reports about this one (RFC 9990 §4)."""
    host = settings.reports.address.rpartition("@")[2].lower()
    if not host or f".{host}".endswith(f".{domain}") or f".{domain}".endswith(f".{host}"):
        return []
    name = f"{domain}._report._dmarc.{host}"
    purpose = f"DMARC: {host} takes reports about {domain}"
    return [_wanted(name, "TXT", "v=DMARC1", purpose, _is_dmarc, needed=False)]


def _is_dmarc(found: list[bytes]) -> bool:
    return any(dmarc_record.parse_record(text) is not None for text in found)


def read_certificate(settings: Settings) -> bytes | None:
    """The one that the listeners show, in PEM; None when there is none yet. Blocks on the disk."""
    path = settings.tls.certificate or settings.data_dir / SELF_SIGNED
    try:
        return path.read_bytes()
    except OSError:
        return None


def _tlsa(host: str, certificate: bytes | None) -> list[Wanted]:
    """Beside it others may stand, such as that of the coming key."""
    if certificate is None:
        return []
    try:
        value = tlsa_of(certificate)
    except ValueError:
        return []
    purpose = "DANE: the key of the certificate, only in a zone signed by DNSSEC"
    fits = value.encode()
    name = f"_25._tcp.{host}"
    return [_wanted(name, "TLSA", value, purpose, lambda found: fits in found, needed=False)]


async def look(wanted: Wanted, resolver: Questions) -> Served:
    """What DNS serves of it."""
    record = wanted.record
    ask: dict[str, Callable[[str], Awaitable[list[str]]]] = {
        "A": resolver.a,
        "AAAA": resolver.aaaa,
    }
    try:
        if record.type == "MX":
            found = [
                f"{one.preference} {one.host}.".encode() for one in await resolver.mx(record.name)
            ]
        elif record.type == "TLSA":
            found = [presentation(one).encode() for one in await resolver.tlsa(record.name)]
        elif record.type == "SRV":
            found = [
                f"{one.priority} {one.weight} {one.port} {one.target}.".encode()
                for one in await resolver.srv(record.name)
            ]
        elif record.type == "CNAME":
            found = [f"{name}.".encode() for name in await resolver.alias(record.name)]
        elif record.type == "TXT":
            found = list(await resolver.txt(record.name))
        else:
            found = [address.encode() for address in await ask[record.type](record.name)]
    except (NoSuchName, NoRecords):
        return Served("missing", ())
    except DnsUnavailable as error:
        return Served("unknown", (str(error),))
    texts = tuple(text.decode("utf-8", "backslashreplace") for text in found)
    if wanted.fits(found):
        return Served("ok", texts)
    prefix = record.value.partition(";")[0].partition(" ")[0].encode()
    alike = record.type != "TXT" or any(text.startswith(prefix) for text in found)
    return Served("differs" if alike else "missing", texts)


def _wanted(
    name: str,
    kind: str,
    value: str,
    purpose: str,
    fits: Callable[[list[bytes]], bool],
    *,
    needed: bool = True,
) -> Wanted:
    return Wanted(ZoneRecord(name, kind, value), purpose, needed, fits)


def _addresses(settings: Settings) -> list[Wanted]:
    """Those of the listener, where it has public ones of its own."""
    found = []
    for endpoint in settings.listen.smtp:
        try:
            address = ipaddress.ip_address(endpoint.host)
        except ValueError:
            continue
        if address.is_global:
            own, kind = str(address).encode(), "A" if address.version == 4 else "AAAA"
            found.append(
                _wanted(
                    settings.hostname,
                    kind,
                    str(address),
                    "where the server is",
                    lambda served, own=own: own in served,  # type: ignore[misc]
                )
            )
    return found


def _helo(host: str) -> Wanted:
    """Bounces have no sender: SPF judges them by the name in EHLO (RFC 7208 §2.4)."""
    purpose = "SPF of the server's own name, for bounces"
    return _wanted(host, "TXT", "v=spf1 a -all", purpose, _is_spf, needed=False)


def _key(key: Key) -> Wanted:
    if key.waiting:
        purpose = "DKIM: used as soon as DNS serves it"
    elif key.in_use:
        purpose = "DKIM: mail is signed with it"
    else:
        purpose = "DKIM: of mail on its way; leave it until it is no longer listed"
    signing = key.signing
    return _wanted(
        signing.name,
        "TXT",
        signing.record,
        purpose,
        lambda found: len(found) == 1 and publishes(found[0], signing),
        needed=key.stored.retired is None,
    )


def _is_mx(host: str) -> Callable[[list[bytes]], bool]:
    return lambda found: any(text.split(b" ")[1] == f"{host}.".encode() for text in found)


def _is_spf(found: list[bytes]) -> bool:
    try:
        text = spf_record.select_record(found)
        if text is None:
            return False
        spf_record.parse_record(text)
    except ValueError:
        return False
    return True


def _smarthost(settings: Settings) -> str:
    """A smarthost sends in our name; by address or by name."""
    url = settings.outbound.smarthost.get_secret_value()
    if not url:
        return ""
    host = parse_smarthost(url).host
    try:
        return f" ip{ipaddress.ip_address(host).version}:{host}"
    except ValueError:
        return f" a:{host}"
