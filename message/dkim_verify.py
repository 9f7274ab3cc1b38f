"""Verifying DKIM signatures (RFC 6376 §6.1), in three steps so that the caller may look up keys and
read the body between them: `candidates`, body_hashes, `verify`.

At most MAX_CHECKED signatures of a message are verified, those of the author's domain first: a
thousand signatures cost no more than eight.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from message.dkim_body import BodyDigest
from message.dkim_header import Header
from message.dkim_key import PublicKey
from message.dkim_signature import (
    MAX_FIELD,
    Mentioned,
    Signature,
    mentioned,
    parse_signature,
)
from message.dkim_tags import DkimFault, Status

DKIM_SIGNATURE = b"dkim-signature"
MAX_CHECKED = 8
_LOOKED_AT = 1000

_AUTHOR = re.compile(rb"@([A-Za-z0-9._-]++)[ \t\r\n]*+(?:>|\(|,|\Z)")
_SIGNER = re.compile(rb"(?:\A|;)[ \t\r\n]*d[ \t\r\n]*=[ \t\r\n]*([A-Za-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A signature field of a message. `signature` is None when `fault` says why it is not used."""

    place: int
    about: Mentioned
    signature: Signature | None = None
    fault: DkimFault | None = None


def candidates(header: Header, now: int) -> tuple[list[Candidate], int]:
    """The signatures to check, from the top of the message, and how many more there are."""
    places = header.places(DKIM_SIGNATURE)
    chosen = places
    if len(places) > MAX_CHECKED:
        aligned = _aligned(header, places[:_LOOKED_AT])
        others = [place for place in places if place not in aligned]
        chosen = sorted([*aligned, *others][:MAX_CHECKED])
    return [_candidate(header, place, now) for place in chosen], len(places) - len(chosen)


def verify(
    header: Header, candidate: Candidate, key: PublicKey, body: BodyDigest
) -> tuple[Status, str]:
    """What became of a candidate that has a signature: PASS, or another status with its reason.

    `body` is the digest of the signature's own form. Where l= leaves the end of the body unsigned,
    anybody may have written it: POLICY (RFC 6376 §8.2). A failure under a key in testing is NEUTRAL
    (§3.6.1).
    """
    signature = candidate.signature
    assert signature is not None
    try:
        _judge(header, candidate.place, signature, key, body)
    except DkimFault as fault:
        if key.testing and fault.status is Status.FAIL:
            return Status.NEUTRAL, f"{fault.reason} (the key is in testing)"
        return fault.status, fault.reason
    length = signature.body.length
    if length is not None and length < body.total:
        return Status.POLICY, f"l= leaves {body.total - length} octets unsigned"
    return Status.PASS, "the key is in testing" if key.testing else ""


def check_octets(
    header: Header, place: int, signature: Signature, key: PublicKey, body: BodyDigest
) -> None:
    """The octets of a DKIM-Signature or ARC-Message-Signature. Raises DkimFault."""
    length = signature.body.length
    if length is not None and length > body.total:
        raise DkimFault(Status.FAIL, "l= is longer than the body")
    if signature.body_hash != body.digest:
        raise DkimFault(Status.FAIL, "the body was changed")
    chosen = header.chosen(signature.names, own=place)
    data = header.forms(chosen, signature.relaxed) + header.own_form(place, signature.relaxed)
    if not key.verifies(signature.algorithm, signature.value, data):
        raise DkimFault(Status.FAIL, "the signature does not fit the header")


def _judge(
    header: Header, place: int, signature: Signature, key: PublicKey, body: BodyDigest
) -> None:
    domain = signature.agent.rpartition("@")[2]
    if key.strict and domain and domain != signature.domain:
        raise DkimFault(Status.PERMERROR, "the key is not for subdomains")
    check_octets(header, place, signature, key, body)


def _candidate(header: Header, place: int, now: int) -> Candidate:
    value = header.value(place)
    try:
        signature = parse_signature(value)
        signature.judge_times(now)
    except DkimFault as fault:
        return Candidate(place, mentioned(value), fault=fault)
    about = Mentioned(
        signature.domain,
        signature.selector,
        signature.agent,
        signature.algorithm.value,
        signature.tag,
    )
    return Candidate(place, about, signature)


def _aligned(header: Header, places: Sequence[int]) -> list[int]:
    """Those whose d= is the author's domain, above or below it: what DMARC may need."""
    authors = [
        domain.lower()
        for place in header.places(b"from")[:1]
        for domain in _AUTHOR.findall(header.value(place)[:MAX_FIELD])
    ]
    found = []
    for place in places:
        match = _SIGNER.search(header.value(place)[:MAX_FIELD])
        signer = match[1].lower() if match is not None else b""
        if signer and any(_related(signer, author) for author in authors[:MAX_CHECKED]):
            found.append(place)
    return found[:MAX_CHECKED]


def _related(one: bytes, other: bytes) -> bool:
    return one == other or one.endswith(b"." + other) or other.endswith(b"." + one)
