"""Validation of an ARC chain (RFC 8617 §5.2), in steps so that the caller may look up keys and read
the body between them: `read_chain`, body_hashes, `check_latest`, `check_seals`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from message.arc import ArcSet, ChainBroken, Seal, parse_seal, read_sets
from message.arc_seal import sealed_forms
from message.dkim_body import BodyDigest
from message.dkim_header import Header
from message.dkim_key import PublicKey
from message.dkim_signature import Signature, parse_message_signature
from message.dkim_tags import DkimFault, Status
from message.dkim_verify import check_octets

Keys: TypeAlias = Mapping[str, PublicKey | DkimFault]
"""The keys by the names of their records, or why there is none."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A whole chain whose fields are all readable: what is left is to look at the octets."""

    sets: tuple[ArcSet, ...]
    seals: tuple[Seal, ...]
    signature: Signature

    @property
    def key_names(self) -> list[str]:
        """The records that are needed, without doubles; the latest signer's first."""
        names = [self.signature.key_name, *(seal.key_name for seal in reversed(self.seals))]
        return list(dict.fromkeys(names))


def read_chain(header: Header, now: int) -> Chain | None:
    """The chain of a message, None when it has no ARC field. Raises ChainBroken."""
    sets = read_sets(header)
    if not sets:
        return None
    seals = []
    for one in sets:
        try:
            seal = parse_seal(header.value(one.seal))
        except DkimFault as fault:
            raise ChainBroken(f"ARC-Seal {one.instance}: {fault.reason}") from None
        _judge_chain_value(one.instance, seal.chain)
        seals.append(seal)
    return Chain(tuple(sets), tuple(seals), _latest_signature(header, sets[-1], now))


def check_latest(header: Header, chain: Chain, keys: Keys, body: BodyDigest) -> None:
    """The latest message signature: of all of them it alone must hold. Raises DkimFault.

    `keys` has that of `chain.signature.key_name`; `body` is the digest of its form.
    """
    latest, signature = chain.sets[-1], chain.signature
    with _told(f"ARC-Message-Signature {latest.instance}"):
        key = _key(keys, signature.key_name)
        check_octets(header, latest.signature, signature, key, body)


def check_seals(header: Header, chain: Chain, keys: Keys) -> None:
    """Every seal, the latest first. `keys` has those of `chain.key_names`. Raises DkimFault."""
    for number in range(len(chain.sets), 0, -1):
        with _told(f"ARC-Seal {number}"):
            _check_seal(header, chain.sets[:number], chain.seals[number - 1], keys)


def _check_seal(header: Header, sets: Sequence[ArcSet], seal: Seal, keys: Keys) -> None:
    last = sets[-1]
    data = sealed_forms(header, sets[:-1])
    data += header.forms((last.results, last.signature), relaxed=True)
    data += header.own_form(last.seal, relaxed=True)
    if not _key(keys, seal.key_name).verifies(seal.algorithm, seal.value, data):
        raise DkimFault(Status.FAIL, "the signature does not fit")


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except DkimFault as fault:
        raise DkimFault(fault.status, f"{what}: {fault.reason}") from None


def _judge_chain_value(instance: int, found: Status) -> None:
    if found is Status.FAIL:
        raise ChainBroken(f"the chain was found broken before (cv=fail in instance {instance})")
    if found is not (Status.NONE if instance == 1 else Status.PASS):
        raise ChainBroken(f"ARC-Seal {instance}: cv={found.value}")


def _latest_signature(header: Header, latest: ArcSet, now: int) -> Signature:
    try:
        signature = parse_message_signature(header.value(latest.signature))
        signature.judge_times(now)
    except DkimFault as fault:
        reason = f"ARC-Message-Signature {latest.instance}: {fault.reason}"
        raise ChainBroken(reason) from None
    return signature


def _key(keys: Keys, name: str) -> PublicKey:
    key = keys[name]
    if isinstance(key, DkimFault):
        raise key
    return key
