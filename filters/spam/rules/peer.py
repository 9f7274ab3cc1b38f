"""Rules about the peer's names and about what authentication found."""

import re
from typing import Final

from filters.spam.rules.mail import Finds, Found, Mail

_HOME: Final = re.compile(
    r"(?:^|[.\-_0-9])(?:a?dsl|adsl\d*|broadband|cable|catv|client|cpe|customer|dhcp|dialup"
    r"|dip|dyn|dynamic|ftth|fiber|gprs|home|hsd1|lte|mobile|modem|pool|pools|ppp|pppoe|pptp"
    r"|res|residential|umts|user|vdsl|wifi|wimax|wireless)(?=[.\-_0-9]|$)"
)
_STATIC: Final = re.compile(
    r"(?:^|[.\-_0-9])(?:static|mail|smtp|mx|mta|relay|out|mout)\d*(?=[.\-_]|$)"
)
_PROVES: Final = ("R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW", "ARC_ALLOW")
_ASKED: Final = ("R_SPF_", "R_DKIM_")


def names(mail: Mail) -> Finds:
    transit = mail.transit
    if not transit.stranger:
        return
    helo, reverse = transit.helo.lower()[:255], transit.reverse.lower()[:255]
    at_home = False
    if reverse:
        spelled = spells(reverse, transit.address)
        at_home = spelled and is_home(reverse)
        if at_home:
            yield Found("HFILTER_HOSTNAME_5", reverse)
        elif spelled and not _STATIC.search(reverse):
            yield Found("HFILTER_HOSTNAME_2", reverse)
    if helo != reverse and spells(helo, transit.address) and is_home(helo):
        yield Found("HFILTER_HELO_5", helo)
        at_home = True
    if not mail.fields.get(b"received") and (at_home or "RDNS_NONE" in transit.symbols):
        yield Found("ONCE_RECEIVED_STRICT")


def authentication(mail: Mail) -> Finds:
    """What filters before this one found counts by the table; here only what follows of it."""
    symbols = mail.transit.symbols
    asked = all(any(one.startswith(prefix) for one in symbols) for prefix in _ASKED)
    if asked and mail.transit.stranger and not symbols.intersection(_PROVES):
        yield Found("AUTH_NA")


def is_home(name: str) -> bool:
    """Whether a name is of the kind that access providers give to their customers' lines."""
    return _HOME.search(name) is not None and _STATIC.search(name) is None


def spells(name: str, address: str) -> bool:
    """Whether a name holds the octets of an IPv4 address, two of them at least, or in hex."""
    octets = address.split(".")
    if len(octets) != 4 or not all(one.isdigit() and int(one) < 256 for one in octets):
        return False
    numbers = {one.lstrip("0") or "0" for one in re.findall(r"\d{1,3}", name)}
    digits = "".join(f"{int(one):02x}" for one in octets)
    padded = "".join(one.zfill(3) for one in octets)
    return len(set(octets) & numbers) >= min(3, len(set(octets))) or (
        digits in name or padded in name
    )


RULES = (names, authentication)
