"""Which domains are served: those of the configuration and those added by command.

The host's own name and the address literals of its listeners stand for the first served domain
(RFC 5321 §4.1.3), so that mail to user@[192.0.2.1] reaches user@example.test.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from config.settings import Settings
from storage.directory_values import Domain, Source


@dataclass(frozen=True, slots=True)
class Sites:
    """`own` holds the host's name and its address literals, lower case."""

    configured: tuple[str, ...]
    commanded: frozenset[str]
    own: frozenset[str]
    served: frozenset[str]

    @property
    def primary(self) -> str | None:
        """The first domain of the configuration, else the first by name."""
        return next(iter((*self.configured, *sorted(self.commanded))), None)

    def serves(self, domain: str) -> bool:
        return domain in self.served

    def is_self(self, domain: str) -> bool:
        """Whether the domain is this host's name or one of its address literals."""
        return domain.lower() in self.own

    def home(self, domain: str) -> str | None:
        """The served domain in which addresses of `domain` are looked up, None: not ours."""
        if self.serves(domain):
            return domain
        return self.primary if self.is_self(domain) else None

    def listed(self) -> list[Domain]:
        """All domains by name; one that is in both is the configuration's."""
        configured = {name: Domain(name, Source.CONFIG) for name in self.configured}
        commanded = {name: Domain(name, Source.COMMAND) for name in self.commanded}
        return [domain for _, domain in sorted((commanded | configured).items())]


def sites_of(settings: Settings, commanded: Iterable[str]) -> Sites:
    """The domains of a configuration and of config.db together."""
    listeners = (*settings.listen.smtp, *settings.listen.submission, *settings.listen.submissions)
    literals = {_literal(endpoint.host) for endpoint in listeners} - {""}
    commanded = frozenset(commanded)
    return Sites(
        configured=tuple(dict.fromkeys(settings.domains)),
        commanded=commanded,
        own=frozenset({settings.hostname, *literals}),
        served=commanded | frozenset(settings.domains),
    )


def _literal(host: str) -> str:
    """`[192.0.2.1]` or `[ipv6:2001:db8::1]`; "" for names and for addresses that mean all."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    if address.is_unspecified:
        return ""
    return f"[{address}]" if address.version == 4 else f"[ipv6:{address}]"
