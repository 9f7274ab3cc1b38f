"""Messages, keys and checks for the tests of DKIM and ARC; keys are made once a process."""

import time
from collections.abc import Iterable, Mapping
from functools import cache

from message.arc import ChainBroken
from message.arc_validate import check_latest, check_seals, read_chain
from message.dkim_body import body_hashes
from message.dkim_header import Header
from message.dkim_key import PublicKey, key_of
from message.dkim_sign import sign
from message.dkim_signing_key import Algorithm, SigningKey, generate, load_signing_key
from message.dkim_tags import DkimFault, Status
from message.dkim_verify import candidates, verify

DOMAIN = "example.org"
HEADER = (
    b"Received: from a by b; Mon, 2 Jan 2006 15:04:05 +0000\r\n"
    b"From:  Someone <someone@example.org>\r\nTo: b@example.test\r\n"
    b"Subject: folded \r\n\tand  spaced\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n"
    b"Message-ID: <d@example.org>\r\n"
)
BODY = b"Hello \t there. \r\n\r\nSecond line\r\n\r\n\r\n"
Records = Mapping[str, Iterable[bytes]]


def key(algorithm: Algorithm, selector: str = "", domain: str = DOMAIN) -> SigningKey:
    """A key of the algorithm, always the same for the same arguments."""
    return _made(algorithm, selector or algorithm.key_type, domain)


def keys(domain: str = DOMAIN) -> list[SigningKey]:
    """An RSA and an Ed25519 key."""
    return [key(algorithm, domain=domain) for algorithm in Algorithm]


def records(*signing: SigningKey) -> dict[str, list[bytes]]:
    """What DNS says of the keys; of those of `keys()` without arguments."""
    return {one.name: [one.record.encode()] for one in signing or keys()}


def signed(header: bytes = HEADER, body: bytes = BODY, *signing: SigningKey) -> bytes:
    """The whole message with a signature of each key."""
    fields = sign(header, [body], signing or keys(), int(time.time()))
    return b"".join(fields) + header + b"\r\n" + body


def parted(message: bytes) -> tuple[Header, bytes]:
    """Header and body."""
    if message.startswith(b"\r\n"):
        return Header(b""), message[2:]
    header, _, body = message.partition(b"\r\n\r\n")
    return Header(header + b"\r\n"), body


def checked(
    message: bytes, answers: Records | None = None, *, now: float | None = None
) -> list[tuple[Status, str]]:
    """Status and reason of each signature that is looked at, from the top."""
    answers = records() if answers is None else answers
    header, body = parted(message)
    found, _ = candidates(header, int(time.time() if now is None else now))
    forms = [one.signature.body for one in found if one.signature is not None]
    digests = body_hashes([body], forms)
    results = []
    for one in found:
        if one.signature is None:
            assert one.fault is not None
            results.append((one.fault.status, one.fault.reason))
            continue
        public = _public(answers, one.signature.key_name)
        if isinstance(public, DkimFault):
            results.append((public.status, public.reason))
        else:
            results.append(verify(header, one, public, digests[one.signature.body]))
    return results


def statuses(message: bytes, answers: Records | None = None) -> list[Status]:
    """The statuses alone."""
    return [status for status, _ in checked(message, answers)]


def chain(message: bytes, answers: Records) -> tuple[Status, str]:
    """What ARC validation says: NONE, PASS or FAIL, and why."""
    header, body = parted(message)
    try:
        found = read_chain(header, int(time.time()))
    except ChainBroken as broken:
        return Status.FAIL, str(broken)
    if found is None:
        return Status.NONE, ""
    form = found.signature.body
    public = {name: _public(answers, name) for name in found.key_names}
    try:
        check_latest(header, found, public, body_hashes([body], [form])[form])
        check_seals(header, found, public)
    except DkimFault as fault:
        return Status.FAIL, fault.reason
    return Status.PASS, ""


@cache
def _made(algorithm: Algorithm, selector: str, domain: str) -> SigningKey:
    return load_signing_key(generate(algorithm), domain, selector)


def _public(answers: Records, name: str) -> PublicKey | DkimFault:
    try:
        return key_of(list(answers.get(name, ())))
    except DkimFault as fault:
        return fault
