"""The Author Domain: whose mail a message says it is (RFC 9989 §5.3.1).

Everything in a From field is the sender's choice, so this takes every address that some mail
program might show, and says when there is not exactly one domain.
"""

import re
from dataclasses import dataclass

from message.address import AddressError, normalise_domain
from message.address_list import mailboxes
from message.headers import unfold

MAX_FIELDS = 3
MAX_VALUE = 4 * 1024
MAX_ADDRESSES = 100

_FROM = re.compile(rb"^From[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE | re.IGNORECASE)
_QUOTED = re.compile(rb"\"(?:[^\"\\]++|\\.)*+\"?|\((?:[^()\\]++|\\.)*+\)?", re.DOTALL)
_ANGLE = re.compile(rb"<[^<>]*@([^<>@\s]+)\s*>")


@dataclass(frozen=True, slots=True)
class Author:
    """`domains`: A-labels in order of appearance, each once; `fields`: how many From fields.

    `excessive`: there is more than was read, and in it perhaps other domains.
    """

    domains: tuple[str, ...]
    fields: int
    excessive: bool = False

    @property
    def domain(self) -> str:
        """The one Author Domain, "" when there is none or may be more than one."""
        return self.domains[0] if len(self.domains) == 1 and not self.excessive else ""

    @property
    def several(self) -> bool:
        """Whether there may be more than one."""
        return len(self.domains) > 1 or self.excessive


def author_of(header: bytes) -> Author:
    """What the From fields of a header block say; nothing raises."""
    values = _FROM.findall(header)
    excessive = len(values) > MAX_FIELDS
    domains: dict[str, None] = {}
    for value in values[:MAX_FIELDS]:
        excessive = excessive or len(value) > MAX_VALUE
        for raw in _raw_domains(unfold(value[:MAX_VALUE])):
            domain = _normal(raw)
            if domain:
                domains[domain] = None
    return Author(tuple(domains), len(values), excessive)


def _raw_domains(value: bytes) -> list[bytes]:
    addresses = mailboxes(value)[:MAX_ADDRESSES]
    found = [address.domain for address in addresses if address.domain]
    # `<a@one> <b@two>` is one entry to a strict reader, and either address to others.
    found += [match[1] for match in _ANGLE.finditer(_QUOTED.sub(b" ", value))][:MAX_ADDRESSES]
    return found


def _normal(raw: bytes) -> str:
    """A-labels; "" for a literal and for what is no domain name."""
    try:
        domain = normalise_domain(raw.decode("utf-8").removesuffix("."))
    except (UnicodeDecodeError, AddressError):
        return ""
    return "" if domain.startswith("[") else domain
