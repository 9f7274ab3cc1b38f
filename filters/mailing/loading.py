"""A message of a mailbox as it is sent: its octets in memory, or in a file of the spool when large.

What another server could read as two messages is refused: NUL, and CR without LF (the store gives
out every line with CRLF).
"""

import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Final

from filters.context import Message
from filters.mailing.values import NotSent, Why
from filters.spooled import IN_MEMORY
from message.headers import header_block, without_blank_line
from net.threads import Offload
from storage.emails import StoredEmail
from storage.errors import MessageMissing
from storage.store import Store
from storage.values import AccountId, Content

_PIECE: Final = 1024 * 1024
_HEADER: Final = 1024 * 1024


class Loader:
    """One for all."""

    def __init__(self, store: Store, offload: Offload) -> None:
        self._store, self._offload = store, offload

    async def load(self, account: AccountId, email: StoredEmail) -> Message:
        """Its file is for who sends it to remove or hand on. Raises NotSent, StoreError, OSError,
        Busy.
        """
        large = email.size > IN_MEMORY
        path = self._store.spool_dir / f"http-{secrets.token_hex(12)}" if large else None
        taking = Taking(path)
        try:
            await self._read(account, email, taking)
            return taking.message()
        except BaseException:
            await self.remove(path)
            raise

    async def drop(self, message: Message) -> None:
        """It is not sent."""
        await self.remove(message.content.path)

    async def remove(self, path: Path | None) -> None:
        """The file of a message that is not sent."""
        if path is not None:
            await self._offload.disk(lambda: path.unlink(missing_ok=True))

    async def _read(self, account: AccountId, email: StoredEmail, taking: "Taking") -> None:
        box, uid = email.places[0]
        for offset in range(0, email.size, _PIECE):
            length = min(_PIECE, email.size - offset)
            piece = await self._store.read_body(account, email.blob, box, uid, offset, length)
            if len(piece) != length:
                raise MessageMissing("the message is gone")
            if taking.path is None:
                taking.take(piece)
            else:
                await self._offload.disk(taking.take, piece)


class Taking:
    """A message while it is taken, in memory without `path`."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._digest, self._head = blake2b(digest_size=16), bytearray()
        self._pieces: list[bytes] = []
        self._size, self._plain, self._cr = 0, True, False

    def take(self, piece: bytes) -> None:
        """The next octets; writes to the file, if there is one. Raises NotSent, OSError."""
        self._check(piece)
        self._digest.update(piece)
        self._size += len(piece)
        self._plain = self._plain and piece.isascii()
        self._head += piece[: _HEADER - len(self._head)]
        if self.path is None:
            self._pieces.append(piece)
            return
        with self.path.open("ab") as file:
            file.write(piece)

    def message(self) -> Message:
        """Raises NotSent."""
        if self._cr:
            raise _bare()
        data = b"".join(self._pieces) if self.path is None else None
        content = Content(self._size, self._digest.digest(), data=data, path=self.path)
        block = without_blank_line(header_block(bytes(self._head)))
        whole = len(block) < len(self._head) or self._size <= len(self._head)
        return Message(content, block, whole_header=whole, eightbit=not self._plain)

    def _check(self, piece: bytes) -> None:
        if b"\0" in piece:
            raise NotSent(Why.INVALID_EMAIL, "The message has NUL in it")
        whole = (b"\r" if self._cr else b"") + piece
        self._cr = whole.endswith(b"\r")
        if whole.count(b"\r") - self._cr != whole.count(b"\r\n"):
            raise _bare()


def _bare() -> NotSent:
    return NotSent(Why.INVALID_EMAIL, "The message has CR without LF in it")
