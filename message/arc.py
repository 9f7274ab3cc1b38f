"""The ARC sets of a message (RFC 8617 §4): found, numbered, and each ARC-Seal read.

A chain is a run of sets from instance 1, each of exactly one ARC-Authentication-Results, one
ARC-Message-Signature and one ARC-Seal. Everything else is a broken chain.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from message.dkim_header import Header
from message.dkim_signature import MAX_FIELD, algorithm_of, octets_of, place_of, time_of
from message.dkim_signing_key import Algorithm
from message.dkim_tags import DkimFault, Status, TagError, parse_tags

RESULTS = b"arc-authentication-results"
SIGNATURE = b"arc-message-signature"
SEAL = b"arc-seal"
MAX_INSTANCES = 50

_RESULTS_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]+)[ \t\r\n]*;")
_INSTANCE = re.compile(rb"[0-9]{1,2}")
_CHAIN_VALUES = {b"none": Status.NONE, b"pass": Status.PASS, b"fail": Status.FAIL}


class ChainBroken(Exception):
    """The sets are no chain; the message says why, in plain ASCII."""


class ArcSet(NamedTuple):
    """The places of the three fields of one instance in its Header."""

    instance: int
    results: int
    signature: int
    seal: int


@dataclass(frozen=True, slots=True)
class Seal:
    """One ARC-Seal: `chain` is cv=, `value` the octets of b=."""

    domain: str
    selector: str
    algorithm: Algorithm
    chain: Status
    value: bytes

    @property
    def key_name(self) -> str:
        """Where the key's record stands."""
        return f"{self.selector}._domainkey.{self.domain}"


def read_sets(header: Header) -> list[ArcSet]:
    """The sets, instance 1 first; [] when there is no ARC field at all. Raises ChainBroken."""
    kinds = [_numbered(header, kind) for kind in (RESULTS, SIGNATURE, SEAL)]
    count = max(len(kind) for kind in kinds)
    found = []
    for instance in range(1, count + 1):
        if any(instance not in kind for kind in kinds):
            raise ChainBroken(f"the ARC set {instance} is not complete")
        found.append(ArcSet(instance, *(kind[instance] for kind in kinds)))
    return found


def highest_instance(header: Header) -> int:
    """The highest instance that any readable ARC field has, 0 without any."""
    highest = 0
    for kind in (RESULTS, SIGNATURE, SEAL):
        for place in header.places(kind)[: MAX_INSTANCES * 2]:
            try:
                highest = max(highest, _instance(kind, header.value(place)))
            except ChainBroken:
                continue
    return highest


def claim_of(header: Header, one: ArcSet) -> bytes:
    """What an ARC-Authentication-Results says behind its instance, folded as written."""
    return header.value(one.results).partition(b";")[2].strip(b" \t\r\n")


def parse_seal(value: bytes) -> Seal:
    """An ARC-Seal's value (RFC 8617 §4.1.3). Raises DkimFault."""
    if len(value) > MAX_FIELD:
        raise DkimFault(Status.POLICY, "the seal is too long")
    try:
        tags = parse_tags(value)
    except TagError as error:
        raise DkimFault(Status.NEUTRAL, str(error)) from None
    if b"h" in tags:
        raise DkimFault(Status.NEUTRAL, "a seal has no h=")
    chain = _CHAIN_VALUES.get(tags.get(b"cv", b""))
    if chain is None:
        raise DkimFault(Status.NEUTRAL, "cv= is none of none, pass and fail")
    time_of(tags, b"t")
    domain, selector = place_of(tags)
    return Seal(domain, selector, algorithm_of(tags), chain, octets_of(tags, b"b"))


def _numbered(header: Header, kind: bytes) -> dict[int, int]:
    """The places of one kind of field by instance."""
    places = header.places(kind)
    if len(places) > MAX_INSTANCES:
        raise ChainBroken(f"more than {MAX_INSTANCES} instances")
    found: dict[int, int] = {}
    for place in places:
        instance = _instance(kind, header.value(place))
        if instance in found:
            raise ChainBroken(f"the instance {instance} is there twice")
        found[instance] = place
    return found


def _instance(kind: bytes, value: bytes) -> int:
    if kind == RESULTS:
        match = _RESULTS_INSTANCE.match(value)
        text = b"" if match is None else match[1]
    else:
        try:
            text = parse_tags(value[:MAX_FIELD]).get(b"i", b"")
        except TagError as error:
            raise ChainBroken(str(error)) from None
    if not _INSTANCE.fullmatch(text) or not 1 <= int(text) <= MAX_INSTANCES:
        raise ChainBroken("an ARC field without an instance from 1 to 50")
    return int(text)
