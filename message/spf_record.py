"""The SPF record: which TXT record it is, and its terms (RFC 7208 §4.5, §4.6, §5, §6, §12).

A whole record is parsed before any of it is used, since an error anywhere in it counts. The record
of a stranger may have 30,000 terms: `RecordParser` goes through them in steps.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from itertools import islice

from message.spf_macro import MacroString, SpfSyntaxError, parse_domain_spec, parse_macro_string

_VERSION = re.compile(rb"v=spf1(?: |$)", re.IGNORECASE)
_TERM = re.compile(
    r"(?P<modifier>[A-Za-z][A-Za-z0-9\-_.]*)=(?P<value>.*)"
    r"|(?P<qualifier>[+\-?~]?)(?P<mechanism>[A-Za-z][A-Za-z0-9\-_.]*)(?P<rest>[:/].*)?",
    re.DOTALL,
)
_LENGTH4 = r"/(?P<four>0|[1-9][0-9]?)"
_LENGTH6 = r"/(?P<six>0|[1-9][0-9]{0,2})"
_DUAL = re.compile(rf"(?P<domain>.*?)(?:{_LENGTH4})?(?:/{_LENGTH6})?", re.DOTALL)
_IP4 = re.compile(rf":(?P<network>[0-9.]+)(?:{_LENGTH4})?")
_IP6 = re.compile(rf":(?P<network>[0-9A-Fa-f:.]+)(?:{_LENGTH6})?")


class Qualifier(Enum):
    """RFC 7208 §4.6.2."""

    PASS = "+"  # noqa: S105
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"


class Mechanism(Enum):
    """RFC 7208 §5."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive. `domain` is None where the mechanism takes the current one; `network` the
    number of an ip4 or ip6 network, `four` and `six` the prefix lengths in bits.
    """

    qualifier: Qualifier
    mechanism: Mechanism
    text: str
    domain: MacroString | None = None
    network: int = 0
    four: int = 32
    six: int = 128


@dataclass(slots=True)
class Record:
    """A record without syntax errors."""

    directives: list[Directive] = field(default_factory=list)
    redirect: MacroString | None = None
    explanation: MacroString | None = None


def select_record(texts: Iterable[bytes]) -> bytes | None:
    """The SPF record among TXT records. Raises SpfSyntaxError when there are several."""
    found = [text for text in texts if _VERSION.match(text)]
    if len(found) > 1:
        raise SpfSyntaxError("more than one SPF record")
    return found[0] if found else None


def parse_record(text: bytes) -> Record:
    """All terms of a selected record. Raises SpfSyntaxError."""
    parser = RecordParser(text)
    while not parser.step(1000):
        pass
    return parser.record


class RecordParser:
    """Parses some terms at a time, equal ones once."""

    def __init__(self, text: bytes) -> None:
        """Raises SpfSyntaxError for a record that is not ASCII."""
        self.record = Record()
        if not text.isascii():
            raise SpfSyntaxError("not an ASCII record")
        # terms are separated by spaces, and by nothing else
        self._known: dict[str, Directive] = {}
        self._terms = iter(text.decode("ascii").split(" ")[1:])

    def step(self, terms: int) -> bool:
        """True when all terms are parsed. Raises SpfSyntaxError."""
        taken = 0
        for term in islice(self._terms, terms):
            taken += 1
            if term:
                self._take(term)
        return taken < terms

    def _take(self, term: str) -> None:
        known = self._known.get(term)
        if known is not None:
            self.record.directives.append(known)
            return
        match = _TERM.fullmatch(term)
        if match is None:
            raise SpfSyntaxError(f"{ascii(term[:80])[1:-1]} is not a term")
        if match["modifier"]:
            self._modifier(match["modifier"].lower(), match["value"])
        else:
            self._known[term] = _directive(term, match)
            self.record.directives.append(self._known[term])

    def _modifier(self, name: str, value: str) -> None:
        if name == "redirect":
            if self.record.redirect is not None:
                raise SpfSyntaxError("more than one redirect")
            self.record.redirect = parse_domain_spec(value)
        elif name == "exp":
            if self.record.explanation is not None:
                raise SpfSyntaxError("more than one exp")
            self.record.explanation = parse_domain_spec(value)
        else:
            parse_macro_string(value)


def _directive(term: str, match: re.Match[str]) -> Directive:
    qualifier = Qualifier(match["qualifier"] or "+")
    rest = match["rest"] or ""
    try:
        mechanism = Mechanism(match["mechanism"].lower())
    except ValueError:
        raise SpfSyntaxError(f"no mechanism {match['mechanism'][:80]}") from None
    if mechanism is Mechanism.ALL:
        if rest:
            raise _wrong(term)
        return Directive(qualifier, mechanism, term)
    if mechanism in (Mechanism.IP4, Mechanism.IP6):
        return _network(qualifier, mechanism, term, rest)
    if mechanism in (Mechanism.A, Mechanism.MX):
        return _dual(qualifier, mechanism, term, rest)
    if not rest and mechanism is Mechanism.PTR:
        return Directive(qualifier, mechanism, term)
    if not rest.startswith(":"):
        raise _wrong(term)
    return Directive(qualifier, mechanism, term, parse_domain_spec(rest[1:]))


def _dual(qualifier: Qualifier, mechanism: Mechanism, term: str, rest: str) -> Directive:
    match = _DUAL.fullmatch(rest)
    if match is None or (match["domain"] and not match["domain"].startswith(":")):
        raise _wrong(term)
    domain = parse_domain_spec(match["domain"][1:]) if match["domain"] else None
    four, six = _lengths(term, match["four"], match["six"])
    return Directive(qualifier, mechanism, term, domain, 0, four, six)


def _network(qualifier: Qualifier, mechanism: Mechanism, term: str, rest: str) -> Directive:
    is_four = mechanism is Mechanism.IP4
    match = (_IP4 if is_four else _IP6).fullmatch(rest)
    if match is None:
        raise _wrong(term)
    groups = match.groupdict()
    four, six = _lengths(term, groups.get("four"), groups.get("six"))
    try:
        network = (IPv4Address if is_four else IPv6Address)(match["network"])
    except AddressValueError:
        raise _wrong(term) from None
    return Directive(qualifier, mechanism, term, None, int(network), four, six)


def _lengths(term: str, four: str | None, six: str | None) -> tuple[int, int]:
    lengths = int(four) if four else 32, int(six) if six else 128
    if lengths[0] > 32 or lengths[1] > 128:
        raise _wrong(term)
    return lengths


def _wrong(term: str) -> SpfSyntaxError:
    return SpfSyntaxError(f"{term[:80]!a} is not valid".replace("'", ""))
