"""Names and name servers as dnspython and the rest of the server write them."""

from ipaddress import ip_address

import dns.name
import dns.resolver
import idna


def parse_name(text: str) -> dns.name.Name:
    """A name as text means it: a backslash is an octet, letters beyond ASCII make A-labels.

    Raises DNSException and UnicodeError for what DNS can't hold.
    """
    plain = text.removesuffix(".")
    labels = plain.split(".") if plain else []
    octets = [
        label.encode() if label.isascii() else idna.encode(label, uts46=True) for label in labels
    ]
    return dns.name.Name([*octets, b""])


def name_text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def numeric(host: str) -> str:
    return "127.0.0.1" if host.lower() == "localhost" else host


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def system_servers() -> list[tuple[str, int]]:
    try:
        found = dns.resolver.Resolver(configure=True).nameservers
    except dns.resolver.NoResolverConfiguration:
        found = []
    return [(str(one), 53) for one in found]


def literal_addresses(host: str) -> list[str]:
    """An address written out, or localhost, which never leaves the machine (RFC 6761 §6.3)."""
    if host.rstrip(".").lower() == "localhost":
        return ["127.0.0.1", "::1"]
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []
