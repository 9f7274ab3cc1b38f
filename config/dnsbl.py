"""Which answers of a DNS list count, as an operator writes it: addresses, ranges, bits. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

# The block of answers that say something (RFC 5782 §2.1), and what large lists say with it when
# they refuse to answer: no listing, but a resolver that is unwelcome or asks too much.
ANSWERS = IPv4Network("127.0.0.0/8")
ERRORS = IPv4Network("127.255.255.0/24")


@dataclass(frozen=True, slots=True)
class Codes:
    """Answers from `first` to `last`, as numbers, or with one of the bits of `mask` in the last
    octet.
    """

    first: int
    last: int
    mask: int = 0

    def __contains__(self, answer: IPv4Address) -> bool:
        number = int(answer)
        if self.mask:
            return bool(number & self.mask)
        return self.first <= number <= self.last


def parse_codes(text: str) -> Codes:
    """`127.0.0.2`, `127.0.0.4-127.0.0.7`, `127.0.0.4-7`, or `&12` for bits of the last octet.

    Raises ValueError.
    """
    try:
        if text.startswith("&"):
            mask = int(text[1:])
            if not 0 < mask < 256:
                raise ValueError
            return Codes(0, 0, mask)
        start, dash, end = text.partition("-")
        first = IPv4Address(start.strip())
        last = first
        if dash:
            end = end.strip()
            last = IPv4Address(end if "." in end else f"{str(first).rpartition('.')[0]}.{end}")
        if first not in ANSWERS or last not in ANSWERS or last < first:
            raise ValueError
    except ValueError:
        allowed = 'an answer such as "127.0.0.2", a range "127.0.0.4-127.0.0.7", or bits "&12"'
        raise ValueError(allowed) from None
    return Codes(int(first), int(last))


def is_listing(answer: IPv4Address) -> bool:
    """Whether an answer says that something is listed, whatever its code means."""
    return answer in ANSWERS and answer not in ERRORS


def is_error(answer: IPv4Address) -> bool:
    """Whether an answer says that the list refuses to tell."""
    return answer in ERRORS


def symbol_of(zone: str) -> str:
    """The symbol of a list that was given none: `DNSBL_ZEN_SPAMHAUS_ORG`."""
    return "DNSBL_" + zone.upper().replace(".", "_").replace("-", "_")
