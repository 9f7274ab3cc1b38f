"""Rules about where links lead, and whether what they show is where they lead."""

import re
from ipaddress import ip_address, ip_network
from typing import Final

from filters.spam.domains import BRANDS, SHORTENERS, SUSPICIOUS_TLDS, registered
from filters.spam.lookalike import imitated, invisible, is_mixed, unicode_of
from filters.spam.rules.mail import Finds, Found, Mail
from filters.spam.targets import Target

_CLICKED: Final = ("a", "form", "frame", "refresh", "plain")
_PORTS: Final = (0, 80, 443, 8080, 8443)
_INSIDE: Final = tuple(
    ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1")
)
_REDIRECT: Final = re.compile(
    r"(?:google\.[a-z.]{2,6}/(?:url|amp)|bing\.com/ck/|/(?:redirect|redir|out)[/?]).{0,200}https?(?::|%3a)",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[a-z0-9]{3,20}")
# Names that people and things have as well.
_NAMED: Final = BRANDS - {"apple", "booking", "chase", "hermes", "outlook", "gmail", "twitter"}


def phishing(mail: Mail) -> Finds:
    author, listed = mail.author.owner, b"list-id" in mail.fields
    for target in mail.targets:
        shown = target.shown
        if not shown or not (target.domain or target.address):
            continue
        owner = target.owner or target.address
        label = registered(shown)
        if label == owner:
            continue
        # Counting clicks leads through another site: the sender's own name in front is no lie.
        harmless = label == author or listed or owner == author
        yield Found("PHISHING", f"{shown} leads to {target.host}"[:120], 0.1 if harmless else 1.0)
        return


def brands(mail: Mail) -> Finds:
    """A firm's name in front of an address and links that are not the firm's."""
    if b"list-id" in mail.fields or not mail.author.domain:
        return
    named = _NAMED.intersection(_WORD.findall(mail.author.name.lower()[:200]))
    if not named or any(brand in mail.author.owner for brand in named):
        return
    owners = [one.owner for one in mail.targets if one.link.kind in _CLICKED and one.owner]
    if owners and not any(brand in owner for brand in named for owner in owners):
        yield Found("PHISHING_BRAND", f"{min(named)} from {mail.author.domain}")


def hosts(mail: Mail) -> Finds:
    for target in _clicked(mail):
        yield from _host(target)
    owners = {one.owner for one in mail.targets if one.owner}
    if len(owners) > 15:
        yield Found("URL_MANY_DOMAINS", str(len(owners)))


def _host(target: Target) -> Finds:
    host, domain = target.host, target.domain
    if target.address:
        if target.obscured:
            yield Found("URL_NUMERIC_OBFUSCATED", f"{host} is {target.address}")
        elif not _is_inside(target.address):
            yield Found("URL_NUMERIC_IP", target.address)
    if "%" in host:
        yield Found("URL_HEX_HOST", host[:80])
    if not domain:
        return
    if host.count(".") > 5:
        yield Found("URL_EXCESSIVE_DOTS", host[:80])
    if domain.rpartition(".")[2] in SUSPICIOUS_TLDS:
        yield Found("URL_SUSPICIOUS_TLD", domain)
    if target.owner in SHORTENERS or domain in SHORTENERS:
        yield Found("URL_SHORTENER", domain)
    yield from _likeness(domain)


def _likeness(domain: str) -> Finds:
    labels = [unicode_of(label) for label in domain.split(".")]
    if "xn--" in domain:
        yield Found("URL_PUNYCODE", f"{domain} ({'.'.join(labels)})")
        if any(map(is_mixed, labels)):
            yield Found("URL_HOMOGRAPH_ATTACK", ".".join(labels))
            return
    brand = imitated(domain)
    if brand:
        yield Found("URL_LOOKALIKE", f"{domain} for {brand}")


def writing(mail: Mail) -> Finds:
    for target in _clicked(mail):
        text = target.link.target
        if target.scheme in ("data", "javascript", "vbscript", "file"):
            yield Found("URL_DATA_OR_SCRIPT", target.scheme)
        if not target.host:
            continue
        if target.user and target.scheme != "ftp":
            yield Found("URL_USER_PASSWORD", f"{target.user[:40]}@{target.host}")
        if target.port not in _PORTS:
            yield Found("URL_ODD_PORT", f"{target.host}:{target.port}")
        if len(text) > 2000:
            yield Found("URL_VERY_LONG", target.host)
        if "\\" in text[: len(target.host) + 12]:
            yield Found("URL_BACKSLASH_PATH", target.host)
        if invisible(text):
            yield Found("URL_ZERO_WIDTH_SPACES", target.host)
        if _REDIRECT.search(text[:500]):
            yield Found("URL_REDIRECTOR", target.host)


def personal(mail: Mail) -> Finds:
    reader = mail.recipients[0] if mail.recipients else None
    if reader is None or len(reader.local) < 3 or b"list-id" in mail.fields:
        return
    ways = (reader.address, reader.address.replace("@", "%40"))
    for target in _clicked(mail):
        if target.owner in ("", reader.owner, mail.author.owner):
            continue
        text = target.link.target.lower()
        if any(way in text for way in ways):
            yield Found("URL_RECIPIENT", target.host)
            return


def only(mail: Mail) -> Finds:
    """Little but a link."""
    text = mail.text[:2000].strip()
    links = [one for one in mail.targets if one.host and one.link.kind in ("a", "plain")]
    if not links or len(text) > 1000 or mail.reading.attachments:
        return
    rest = text
    for one in links[:5]:
        rest = rest.replace(one.link.text or one.link.target, "").replace(one.link.target, "")
    rest = rest.strip()
    if len(rest) < 4:
        yield Found("HFILTER_URL_ONLY", links[0].host)
    elif "\n" not in rest and len(rest) < 80:
        yield Found("HFILTER_URL_ONELINE", links[0].host)


def _clicked(mail: Mail) -> list[Target]:
    return [one for one in mail.targets if one.link.kind in _CLICKED]


def _is_inside(address: str) -> bool:
    parsed = ip_address(address)
    return any(parsed in network for network in _INSIDE if network.version == parsed.version)


RULES = (phishing, brands, hosts, writing, personal, only)
