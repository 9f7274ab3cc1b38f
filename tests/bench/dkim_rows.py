"""DKIM without network and servers: one core verifies a message and signs it for the next hop.

The other side is dkimpy with the same key and the same messages.
"""

import time
from functools import cache

import dkim
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from message.dkim_signing_key import Algorithm, SigningKey, generate, load_signing_key
from message.dkim_tags import Status
from tests.bench.clients import message
from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.dkim_messages import checked, signed

_OURS, _THEIRS = 1000, 40
_SIZE = 4096


@cache
def _key() -> SigningKey:
    return load_signing_key(generate(Algorithm.RSA), "world.test", "bench")


@cache
def _messages() -> list[bytes]:
    """Signed once, so that there is something to verify."""
    made = (message(_SIZE, number).partition(b"\r\n\r\n") for number in range(_OURS))
    return [signed(header + b"\r\n", body, _key()) for header, _, body in made]


def verify_and_sign(side: Side) -> float:
    """Messages a second of CPU."""
    messages = _messages()[: _OURS if side.ours else _THEIRS]
    work = _ours if side.ours else _theirs
    start = time.process_time()
    work(messages)
    return len(messages) / (time.process_time() - start)


def _ours(messages: list[bytes]) -> None:
    answers = {_key().name: [_key().record.encode()]}
    for one in messages:
        assert checked(one, answers)[0][0] is Status.PASS
        header, _, body = one.partition(b"\r\n\r\n")
        signed(header + b"\r\n", body, _key())


def _theirs(messages: list[bytes]) -> None:
    record = _key().record.encode()
    pem = _key().private.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    for one in messages:
        assert dkim.verify(one, dnsfunc=lambda name, timeout=5: record)
        dkim.sign(one, b"bench", b"world.test", pem, canonicalize=(b"relaxed", b"relaxed"))


ROWS = [
    Row(
        "DKIM: verify and sign 4 KiB, RSA-2048",
        "msg/s a core",
        verify_and_sign,
        at_least=10,
        least=1000,
    )
]
