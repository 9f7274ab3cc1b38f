"""DMARC policy records: the TXT record at `_dmarc.DOMAIN` (RFC 9989 §4.7, §4.8), read leniently.

A record needs `v=DMARC1` in front; any other fault costs its own tag and no more. The tags `pct`,
`rf` and `ri` of the older standard are unknown tags like any other.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import unquote

E = TypeVar("E", bound=Enum)

MAX_RECORD = 16 * 1024
MAX_CACHED = 512
MAX_URIS = 10

_VERSION = re.compile(rb"[ \t]*v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):([^\s!,]+)(?:!(\d{1,12})([kmgtKMGT]?))?")
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\x7f]+@[^\s@<>\x00-\x1f\x7f]+")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_FAILURES = frozenset("01ds")


class Policy(Enum):
    """What the owner of a domain wants done with mail that fails; in order of severity."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    def lowered(self) -> "Policy":
        """One step milder, as `t=y` asks."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


class Mode(Enum):
    """How near an authenticated domain must be to the author's."""

    RELAXED = "r"
    STRICT = "s"


class Psd(Enum):
    """Whether the record's domain is a public suffix."""

    YES = "y"
    NO = "n"
    UNKNOWN = "u"


@dataclass(frozen=True, slots=True)
class ReportUri:
    """One destination of reports: `address` of a `mailto:`, "" for schemes that nobody sends to.

    `limit` in octets from `!10m`, 0 without one.
    """

    uri: str
    address: str
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A record in force. `sp` and `np` are None where absent.

    `usable` is False for a record without a valid policy that asks for no reports either: its
    domain is found by the tree walk, its policy is none at all (RFC 9989 §4.10.1). `faulty` says
    that the policy is `none` only because the one written is not valid.
    """

    p: Policy = Policy.NONE
    sp: Policy | None = None
    np: Policy | None = None
    psd: Psd = Psd.UNKNOWN
    testing: bool = False
    adkim: Mode = Mode.RELAXED
    aspf: Mode = Mode.RELAXED
    fo: frozenset[str] = frozenset("0")
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    usable: bool = True
    faulty: bool = False


def parse_record(text: bytes) -> Record | None:
    """The record of one TXT record, its strings joined; None when it is not DMARC's."""
    return _parse(text) if len(text) > MAX_CACHED else _parse_cached(text)


def _parse(text: bytes) -> Record | None:
    if len(text) > MAX_RECORD or not _VERSION.match(text):
        return None
    tags = _tags(text.decode("utf-8", "replace"))
    rua = parse_uris(tags.get("rua", ""))
    faulty = "p" not in tags or any(
        name in tags and _policy(tags[name]) is None for name in ("p", "sp", "np")
    )
    return Record(
        p=Policy.NONE if faulty else _policy(tags["p"]) or Policy.NONE,
        sp=None if faulty else _policy(tags.get("sp", "")),
        np=None if faulty else _policy(tags.get("np", "")),
        psd=_choice(Psd, tags.get("psd", "")) or Psd.UNKNOWN,
        testing=tags.get("t", "").lower() == "y",
        adkim=_choice(Mode, tags.get("adkim", "")) or Mode.RELAXED,
        aspf=_choice(Mode, tags.get("aspf", "")) or Mode.RELAXED,
        fo=_failures(tags.get("fo", "")),
        rua=rua,
        ruf=parse_uris(tags.get("ruf", "")),
        usable=not faulty or bool(rua),
        faulty=faulty,
    )


_parse_cached = lru_cache(maxsize=4096)(_parse)


def select_record(texts: Sequence[bytes]) -> Record | None:
    """The record among the TXT records of one name; several of DMARC's count as none."""
    found = [text for text in texts if _VERSION.match(text)]
    return parse_record(found[0]) if len(found) == 1 else None


def parse_uris(value: str) -> tuple[ReportUri, ...]:
    """The valid URIs of `rua` or `ruf`, at most MAX_URIS."""
    found = []
    for text in value.split(",")[:100]:
        match = _URI.fullmatch(text.strip())
        if match is not None:
            scheme, rest, number, unit = match.groups()
            limit = int(number) * _UNITS[unit.lower()] if number else 0
            found.append(ReportUri(f"{scheme}:{rest}", _mailto(scheme, rest), limit))
    return tuple(found[:MAX_URIS])


def _mailto(scheme: str, rest: str) -> str:
    if scheme.lower() != "mailto":
        return ""
    address = unquote(rest.partition("?")[0])
    return address if _ADDRESS.fullmatch(address) else ""


def _tags(text: str) -> Mapping[str, str]:
    """The first value of each tag."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return MappingProxyType(tags)


def _policy(text: str) -> Policy | None:
    return _choice(Policy, text)


def _choice(kind: type[E], text: str) -> E | None:
    try:
        return kind(text.lower())
    except ValueError:
        return None


def _failures(text: str) -> frozenset[str]:
    chosen = frozenset(part.strip().lower() for part in text.split(":")) & _FAILURES
    return chosen or frozenset("0")
