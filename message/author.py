"""The Author Domain: whose mail a message says it is (RFC 9989 §5.3.1).

Everything in a From field is the sender's choice, so this takes every address that some mail
program might show, and says when there is not exactly one domain.
"""

import re
from dataclasses import dataclass

from message.address import AddressError, normalise_domain
from message.address_list import mailboxes
from message.headers import all_values

MAX_FIELDS = 20
MAX_ADDRESSES = 100

_QUOTED = re.compile(rb"\"(?:[^\"\\]++|\\.)*+\"?|\((?:[^()\\]++|\\.)*+\)?", re.DOTALL)
_ANGLE = re.compile(rb"<[^<>]*@([^<>@\s]+)\s*>")


@dataclass(frozen=True, slots=True)
class Author:
    """`domains`: A-labels in order of appearance, each once; `fields`: how many From fields."""

    domains: tuple[str, ...]
    fields: int

    @property
    def domain(self) -> str:
        """The one Author Domain, "" when there is none or more than one."""
        return self.domains[0] if len(self.domains) == 1 else ""


def author_of(header: bytes) -> Author:
    """What the From fields of a header block say; nothing raises."""
    values = all_values(header, b"From")
    domains: dict[str, None] = {}
    for value in values[:MAX_FIELDS]:
        for raw in _raw_domains(value):
            domain = _normal(raw)
            if domain:
                domains[domain] = None
    return Author(tuple(domains), len(values))


def _raw_domains(value: bytes) -> list[bytes]:
    found = [address.domain for address in mailboxes(value)[:MAX_ADDRESSES] if address.domain]
    # `<a@one> <b@two>` is one entry to a strict reader, and either address to others.
    bare = _QUOTED.sub(b" ", value[: 64 * 1024])
    found += [match[1] for match in _ANGLE.finditer(bare)][:MAX_ADDRESSES]
    return found


def _normal(raw: bytes) -> str:
    """A-labels; "" for a literal and for what is no domain name."""
    try:
        domain = normalise_domain(raw.decode("utf-8").removesuffix("."))
    except (UnicodeDecodeError, AddressError):
        return ""
    return "" if domain.startswith("[") else domain
