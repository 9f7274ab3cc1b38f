"""Where links lead, taken apart as browsers do it. Pure, bounded, never raises."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from filters.spam.domains import is_domain, numeric_host, registered
from filters.spam.markup import Link
from message.address import AddressError, normalise_domain

MAX_LINKS: Final = 300

_WEB: Final = re.compile(
    r"\s*(?:(https?|ftp):)?[/\\]{2,4}(?:([^/\\?#@\s]{0,500})@)?(\[[0-9a-fA-F:.]{2,45}\]|[^/\\?#:@\s]{1,253})"
    r"(?::(\d{1,5}))?(?=[/\\?#]|$)",
    re.IGNORECASE,
)
_BARE: Final = re.compile(r"\s*()()(www\.[^/\\?#:@\s]{1,253})(?::(\d{1,5}))?(?=[/\\?#]|$)", re.I)
_SCHEME: Final = re.compile(r"\s*([a-z][a-z0-9+.-]{1,20}):", re.IGNORECASE)
_SHOWN: Final = re.compile(
    r"\s*(?:https?://)?(?:[^/@\s]{1,64}@)?((?:[\w-]{1,63}\.){1,8}[a-z]{2,24})(?:[:/?#]\S*)?\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One link. `host` is as written, in lower case; `domain` its A-labels or "" for an address or
    what is no name; `owner` the registered domain. `address` is what a numeric host stands for.
    """

    link: Link
    scheme: str
    user: str = ""
    host: str = ""
    domain: str = ""
    port: int = 0
    address: str = ""
    obscured: bool = False

    @property
    def owner(self) -> str:
        return registered(self.domain) if self.domain else ""

    @property
    def shown(self) -> str:
        """The domain that the text of the link shows, "" when it shows none."""
        found = _SHOWN.fullmatch(self.link.text[:300]) if self.link.kind == "a" else None
        return _a_labels(found[1]) if found else ""


def targets(links: Iterable[Link]) -> tuple[Target, ...]:
    """Every place once, in order, at most MAX_LINKS."""
    found: dict[tuple[str, str], Target] = {}
    for link in links:
        key = (link.target, link.text)
        if key not in found:
            found[key] = target_of(link)
            if len(found) >= MAX_LINKS:
                break
    return tuple(found.values())


def target_of(link: Link) -> Target:
    """A link taken apart; without a host when it leads to none."""
    web = _WEB.match(link.target) or _BARE.match(link.target)
    if web is None:
        scheme = _SCHEME.match(link.target)
        return Target(link, scheme[1].lower() if scheme else "")
    scheme_text, user, host, port = web.groups()
    host = host.lower()
    plain = unquote(host) if "%" in host else host
    number = numeric_host(plain)
    return Target(
        link,
        (scheme_text or "http").lower(),
        user or "",
        host,
        "" if number else _a_labels(plain),
        int(port or 0),
        number[0] if number else "",
        bool(number and number[1]),
    )


def domains_of(found: Iterable[Target]) -> tuple[str, ...]:
    """The names that lists of domains are asked about, each once: the registered ones."""
    return tuple(dict.fromkeys(one.owner for one in found if one.owner))


def _a_labels(host: str) -> str:
    try:
        domain = normalise_domain(host.removesuffix("."))
    except AddressError:
        return ""
    return domain if is_domain(domain) else ""
