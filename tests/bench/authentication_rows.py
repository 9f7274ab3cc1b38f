"""What authentication costs on one core: DKIM, ours beside dkimpy."""

import time
from functools import cache

import dkim

from message.dkim_body import body_hashes
from message.dkim_header import Header
from message.dkim_key import key_of
from message.dkim_sign import sign
from message.dkim_signing_key import Algorithm, SigningKey, generate, load_signing_key
from message.dkim_tags import Status
from message.dkim_verify import candidates, verify
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side

_NOW = 1_800_000_000
_OURS, _THEIRS = 1000, 50


@cache
def _key() -> tuple[bytes, SigningKey]:
    pem = generate(Algorithm.RSA)
    return pem, load_signing_key(pem, "world.test", "bench")


def _ours(data: bytes) -> None:
    """What comes in is verified, what goes out signed: the same message here."""
    key = _key()[1]
    head, _, body = data.partition(b"\r\n\r\n")
    field = sign(head + b"\r\n", (body,), (key,), _NOW)[0]
    header = Header(field + head + b"\r\n")
    (found,), _more = candidates(header, _NOW)
    assert found.signature is not None
    form = found.signature.body
    digest = body_hashes((body,), (form,))[form]
    status, reason = verify(header, found, key_of([key.record.encode()]), digest)
    assert status is Status.PASS, reason


def _theirs(data: bytes) -> None:
    pem, key = _key()
    field = dkim.sign(data, b"bench", b"world.test", pem, canonicalize=(b"relaxed", b"relaxed"))
    assert dkim.verify(field + data, dnsfunc=lambda name, timeout=5: key.record.encode())


def sign_and_verify(side: Side) -> float:
    """Messages of 4 KiB signed and verified a second of CPU, by an RSA key of 2,048 bits."""
    count, work = (_OURS, _ours) if side.ours else (_THEIRS, _theirs)
    messages = [message(4096, number) for number in range(count)]
    work(messages[0])
    began = time.process_time()
    for data in messages:
        work(data)
    return count / (time.process_time() - began)


ROWS = [
    Row(
        "DKIM sign and verify 4 KiB (theirs: dkimpy)",
        "msg/s",
        sign_and_verify,
        at_least=1,
        least=1000,
    ),
]
