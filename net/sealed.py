"""Frames between two processes that share a key: who is there is proved, what is said is sealed.

Both send SIGN, a nonce and a fresh X25519 share (RFC 7748); keys of each direction come of the
shared key and of what both sent by HKDF (RFC 5869), and each proves its own by an HMAC (RFC 2104)
before anything else is said. A frame is its length in four octets and ChaCha20-Poly1305 (RFC 8439)
of the body under a counter, so that none can be read, changed, left out or sent again.
Invariants: a read has a bound in octets before memory is taken for it, and one in time.
"""

import asyncio
import contextlib
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SIGN: Final = b"MSVC\x00\x01"
NONCE: Final = 32
SHARE: Final = 32
PROOF: Final = 32
TAG: Final = 16
HELLO_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 10.0
MOST: Final = 1 << 20
"""Octets of a body."""
BACKLOG: Final = 16 * MOST
"""Octets that wait for a side that takes nothing before it is given up."""


class SealedError(Exception):
    """The other side has another key, speaks something else, or is gone; the text says which."""


class Sealed:
    """A connection after the handshake. One task reads; writes may come from anywhere in the
    loop. Close it.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        own: ChaCha20Poly1305,
        other: ChaCha20Poly1305,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._own, self._other = own, other
        self._sent = self._received = 0

    def put(self, body: bytes) -> None:
        """Queues a frame. Raises SealedError (too large, closed, too much waits)."""
        if len(body) > MOST:
            raise SealedError(f"more than {MOST} octets")
        if self._writer.is_closing():
            raise SealedError("the connection is closed")
        if self._writer.transport.get_write_buffer_size() > BACKLOG:
            raise SealedError("the other side takes nothing")
        sealed = self._own.encrypt(_counted(self._sent), body, None)
        self._sent += 1
        self._writer.write(len(sealed).to_bytes(4, "big") + sealed)

    async def drain(self) -> None:
        """Waits until the other side takes what was queued. Raises SealedError."""
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._writer.drain()
        except (TimeoutError, OSError):
            self.close()
            raise SealedError("the other side takes nothing") from None

    async def get(self) -> bytes:
        """The next body; waits for ever for its beginning. Raises SealedError."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            if not TAG <= size <= MOST + TAG:
                raise SealedError(f"a frame of {size} octets")
            async with asyncio.timeout(WRITE_SECONDS):
                sealed = await self._reader.readexactly(size)
            body = self._other.decrypt(_counted(self._received), sealed, None)
        except (asyncio.IncompleteReadError, OSError):
            raise SealedError("the connection is closed") from None
        except TimeoutError:
            raise SealedError("a frame did not come in time") from None
        except InvalidTag:
            raise SealedError("a frame was changed") from None
        self._received += 1
        return body

    def close(self) -> None:
        self._writer.close()

    async def wait_closed(self) -> None:
        """Returns when the socket is closed."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(WRITE_SECONDS):
                await self._writer.wait_closed()


async def seal(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes, *, dialled: bool
) -> Sealed:
    """The handshake; `dialled` on the side that made the connection. Raises SealedError, with the
    connection closed.
    """
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            return await _seal(reader, writer, key, dialled)
    except BaseException as error:
        writer.close()
        if isinstance(error, TimeoutError):
            raise SealedError("the handshake took too long") from None
        if isinstance(error, (asyncio.IncompleteReadError, OSError, ValueError)):
            raise SealedError("the handshake was broken off") from None
        raise


async def _seal(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes, dialled: bool
) -> Sealed:
    secret = X25519PrivateKey.generate()
    mine = SIGN + os.urandom(NONCE) + secret.public_key().public_bytes_raw()
    writer.write(mine)
    theirs = await reader.readexactly(len(mine))
    if not theirs.startswith(SIGN):
        raise SealedError("the other side speaks something else")
    shared = secret.exchange(X25519PublicKey.from_public_bytes(theirs[-SHARE:]))
    said = mine + theirs if dialled else theirs + mine
    derived = HKDF(hashes.SHA256(), 128, salt=key, info=said).derive(shared)
    parts = [derived[at : at + 32] for at in range(0, 128, 32)]
    if not dialled:
        parts = [parts[1], parts[0], parts[3], parts[2]]
    own, other, own_proof, other_proof = parts
    writer.write(hmac.digest(own_proof, said, "sha256"))
    if not hmac.compare_digest(
        await reader.readexactly(PROOF), hmac.digest(other_proof, said, "sha256")
    ):
        raise SealedError("the other side has another key")
    return Sealed(reader, writer, ChaCha20Poly1305(own), ChaCha20Poly1305(other))


def _counted(number: int) -> bytes:
    return number.to_bytes(12, "big")
