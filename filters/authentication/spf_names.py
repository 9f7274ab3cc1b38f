"""The names that SPF terms are about: macros expanded for one check, and validated names of the
client (RFC 7208 §5.5, §7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from message.spf_macro import MAX_NAME, MacroString, target_name
from net.dns import Answer, DnsError
from net.lookups import Lookups

# Names of the client that are looked at, RFC 7208 §4.6.4.
MAX_PTR = 10
MAX_LABEL = 63
# Whoever has the address has its reverse zone, and could else make any check end without a result.
CLIENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends: `address` is never an IPv4-mapped one, `helo` as given. `receiver` is our name,
    `now` the time in seconds since 1970.
    """

    address: IPv4Address | IPv6Address
    helo: str
    receiver: str
    now: float

    @property
    def reversible(self) -> str:
        """The address in parts, as `%{i}` has it."""
        if self.address.version == 4:
            return str(self.address)
        return ".".join(f"{int(self.address):032X}")


def plain_address(text: str) -> IPv4Address | IPv6Address:
    """An address without its scope; an IPv4-mapped one is IPv4 (RFC 7208 §5). Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_name(text: str) -> bool:
    """Whether a question about this name can be put."""
    return (
        text.isascii()
        and 0 < len(text) <= MAX_NAME
        and all(0 < len(label) <= MAX_LABEL for label in text.split("."))
    )


class Names:
    """For the sender `local@domain` of one check."""

    def __init__(self, lookups: Lookups, client: Client, local: str, domain: str) -> None:
        self._client = client
        self._lookups = lookups
        self._of_client = Lookups(lookups, seconds=CLIENT_SECONDS)
        self._values = {
            "s": f"{local}@{domain}",
            "l": local,
            "o": domain,
            "i": client.reversible,
            "v": "in-addr" if client.address.version == 4 else "ip6",
            "h": client.helo,
            "c": str(client.address),
            "r": client.receiver,
            "t": str(int(client.now)),
        }

    async def expand(self, text: MacroString, domain: str) -> str:
        """`domain` is the one whose record has the text. Raises nothing of DNS."""
        values = {**self._values, "d": domain}
        if text.needs("p"):
            values["p"] = await self._own_name(domain)
        return text.expand(values)

    async def target(self, spec: MacroString | None, domain: str) -> str | None:
        """The name a term is about; None where no name can be made of it.

        A local part beyond ASCII matches nothing (RFC 8616 §4).
        """
        if spec is None:
            return domain
        name = target_name(await self.expand(spec, domain)).lower()
        return name if is_name(name) else None

    async def addresses(self, host: str) -> Answer[str]:
        """Of the client's family. Raises DnsError."""
        return await self._addresses(self._lookups, host)

    async def of_client(self) -> Answer[str]:
        """The names of the client, not validated, at most MAX_PTR. Raises DnsError."""
        found = await self._of_client.ptr(str(self._client.address))
        del found[MAX_PTR:]
        return found

    async def validated(self, names: Sequence[str]) -> str | None:
        """The first of the names that the client's address belongs to."""
        for name in names:
            try:
                found = await self._addresses(self._of_client, name)
            except DnsError:
                continue
            if any(ip_address(one) == self._client.address for one in found):
                return name
        return None

    async def _own_name(self, domain: str) -> str:
        """`%{p}`: the domain itself rather than one below it, that rather than any other."""
        try:
            names = await self.of_client()
        except DnsError:
            return "unknown"
        names.sort(key=lambda name: (name != domain, not is_within(name, domain)))
        return await self.validated(names) or "unknown"

    async def _addresses(self, lookups: Lookups, host: str) -> Answer[str]:
        if self._client.address.version == 4:
            return await lookups.a(host)
        return await lookups.aaaa(host)


def is_within(name: str, domain: str) -> bool:
    """Whether a name is the domain or lies below it; both in lower case."""
    return name == domain or name.endswith(f".{domain}")
