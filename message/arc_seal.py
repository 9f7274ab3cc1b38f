"""Sealing: one more ARC set for a message that goes on to others (RFC 8617 §5.1).

Pure, but not for the event loop: two signatures, half a millisecond each with RSA.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence

from message.arc import (
    MAX_INSTANCES,
    ArcSet,
    ChainBroken,
    highest_instance,
    parse_seal,
    read_sets,
)
from message.dkim_body import body_hashes
from message.dkim_header import Header, relaxed_form
from message.dkim_sign import MOST, RELAXED, SIGNED, signed_field
from message.dkim_signing_key import SigningKey
from message.dkim_tags import DkimFault, Status

_OWN_RESULTS = re.compile(rb"[ \t\r\n]*([^ \t\r\n;]+)(?:[ \t\r\n]+[0-9]+)?[ \t\r\n]*;")
# RFC 8617 §4.1.2: the signatures of others as they were, never the Authentication-Results.
SEALED = (*SIGNED, b"dkim-signature")


def seal(
    header: bytes,
    body: Iterable[bytes],
    results: bytes,
    chain: Status,
    key: SigningKey,
    now: int,
    *,
    names: Sequence[bytes] | None = None,
) -> tuple[bytes, ...]:
    """The three complete fields of the next set, to be put before the header in this order:
    ARC-Seal, ARC-Message-Signature, ARC-Authentication-Results. () when no set may be added.

    `header` and `body` are the message as it goes on (with the rewritten Subject, the footer, ...)
    but `chain` is what validation found when it came in: `Status(outcome.value)` of the ArcResult,
    NONE, PASS or FAIL, which becomes cv=. Do not seal when validation failed for want of DNS
    (ArcResult.temporary): cv=fail would end a chain that may be whole.
    `results` is the value of the Authentication-Results field that was made then, from its
    authserv-id on (RFC 8601 §2.2), folded or not; `own_results` finds it in a message.
    `now` is seconds since 1970; `names` are the fields to sign in lower case, by default SEALED.

    No set is added to a chain that ended with cv=fail, nor above instance 50, nor to sets that
    nobody validated (`chain` NONE with sets there). The seal over a failed chain covers its own set
    alone (RFC 8617 §5.1.2).
    """
    fields = Header(header)
    sets, instance = _present(fields, chain)
    if not instance:
        return ()
    if not sets and chain is not Status.FAIL:
        chain = Status.NONE
    claims = b" i=%d; %b\r\n" % (instance, results.strip(b" \t\r\n"))
    own_claims = relaxed_form(b"arc-authentication-results", claims)
    digest = b64encode(body_hashes(body, (RELAXED,))[RELAXED].digest)
    place = _place(key, instance, now)
    signature = _message_signature(fields, names, digest, place, key)
    own_signature = relaxed_form(b"arc-message-signature", _value(signature))
    before = b"" if chain is Status.FAIL else sealed_forms(fields, sets)
    tags = sorted([*place, b"cv=" + chain.value.encode()])
    sealing = signed_field(b"ARC-Seal", tags, before + own_claims + own_signature, key)
    return sealing, signature, b"ARC-Authentication-Results:" + claims


def own_results(header: Header, authserv_id: str) -> bytes:
    """The value that all Authentication-Results fields of this name make together (RFC 8617
    §5.1), b"" without any.
    """
    own, found = authserv_id.lower().encode(), []
    for place in header.places(b"authentication-results"):
        value = header.value(place)
        match = _OWN_RESULTS.match(value)
        if match is not None and match[1].lower() == own:
            found.append(value[match.end() :].strip(b" \t\r\n;"))
    return b";\r\n ".join([authserv_id.encode(), *found]) if found else b""


def sealed_forms(header: Header, sets: Sequence[ArcSet]) -> bytes:
    """What a seal covers of complete sets, in canonical form (RFC 8617 §5.1.1)."""
    places = [place for one in sets for place in (one.results, one.signature, one.seal)]
    return header.forms(places, relaxed=True)


def _present(header: Header, chain: Status) -> tuple[list[ArcSet], int]:
    """The sets of a chain that can be gone on with, and the next instance, 0 for none."""
    highest = highest_instance(header)
    if highest >= MAX_INSTANCES:
        return [], 0
    try:
        sets = read_sets(header)
    except ChainBroken:
        return [], highest + 1 if chain is Status.FAIL else 0
    if not sets:
        return [], 1
    try:
        ended = parse_seal(header.value(sets[-1].seal)).chain is Status.FAIL
    except DkimFault:
        ended = False
    if ended or chain not in (Status.PASS, Status.FAIL):
        return sets, 0
    return sets, highest + 1


def _message_signature(
    header: Header,
    names: Sequence[bytes] | None,
    digest: bytes,
    place: Sequence[bytes],
    key: SigningKey,
) -> bytes:
    if names is None:
        names = [name for name in SEALED for _ in header.places(name)[:MOST]]
    signed = header.forms(header.chosen(names), relaxed=True)
    tags = [*place, b"bh=" + digest, b"c=relaxed/relaxed", b"h=" + b":".join(names)]
    return signed_field(b"ARC-Message-Signature", sorted(tags), signed, key)


def _place(key: SigningKey, instance: int, now: int) -> list[bytes]:
    """The tags that both signatures of a set have."""
    return [
        *(b"a=" + key.algorithm.value.encode(), b"b=", b"d=" + key.domain.encode()),
        *(b"i=%d" % instance, b"s=" + key.selector.encode(), b"t=%d" % now),
    ]


def _value(field: bytes) -> bytes:
    return field.partition(b":")[2].removesuffix(b"\r\n")
