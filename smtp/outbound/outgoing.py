"""A queued message as the client sees it: envelope values, and a range of a file or its octets."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from message.seven_bit import seven_bit
from smtp.outbound.security import Wish
from storage.queue_file import message_offset
from storage.queue_values import Claim
from storage.values import DeliverBy

_PIECE = 1024 * 1024
_MAX_HEADER = 1024 * 1024
FEW = 64 * 1024
"""Octets of a message that is read with one look at its file."""
_HEADER_START = 64 * 1024
_TLS_REQUIRED = re.compile(rb"\ntls-required[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`size` octets at `offset` of `path`, or `data` instead of them: all of them where they are
    few, others where they were converted. The flags say what the next hop is asked for; `own`: one
    of our users submitted it.
    """

    path: Path
    offset: int
    size: int
    sender: str
    envid: str = ""
    ret: str = ""
    smtputf8: bool = False
    eightbit: bool = False
    wish: Wish = Wish.NONE
    deliver_by: DeliverBy | None = None
    priority: int = 0
    own: bool = False
    data: bytes | None = None


def open_claim(claim: Claim) -> Outgoing:
    """Blocks on the disk. Raises QueueFileDamaged, OSError.

    Clients that send 8-bit data without declaring it are many: what the first MiB holds counts.
    """
    offset, size = message_offset(claim.path)
    octets = _HEADER_START if claim.eightbit else _PIECE
    return outgoing_of(claim, offset, read_start(claim.path, offset, min(octets, size)), size)


def outgoing_of(claim: Claim, offset: int, start: bytes, size: int | None = None) -> Outgoing:
    """The message of a claim that begins with `start`, or is all of it where `size` is None."""
    size = len(start) if size is None else size
    return Outgoing(
        claim.path,
        offset,
        size,
        claim.sender,
        claim.envid,
        claim.ret,
        claim.smtputf8,
        eightbit=claim.eightbit or not start.isascii(),
        wish=Wish.REQUIRED if claim.require_tls else _wish_of(start),
        deliver_by=claim.deliver_by,
        priority=claim.priority,
        own=claim.account is not None,
        data=start if len(start) == size <= FEW else None,
    )


def _wish_of(start: bytes) -> Wish:
    """RFC 8689 §4.2.2: exactly one field `TLS-Required: No` counts."""
    end = start.find(b"\r\n\r\n")
    values = _TLS_REQUIRED.findall(b"\n" + (start if end < 0 else start[: end + 2]))
    return Wish.NOT_REQUIRED if [v.lower() for v in values] == [b"no"] else Wish.NONE


def read_start(path: Path, offset: int, octets: int) -> bytes:
    """The first octets of a message. Blocks on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, octets, offset)
    finally:
        os.close(descriptor)


def has_eight_bit(message: Outgoing) -> bool:
    """True when the message, whatever was declared, is not pure ASCII. Blocks on the disk."""
    if message.data is not None:
        return not message.data.isascii()
    descriptor = os.open(message.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        offset, end = message.offset, message.offset + message.size
        while offset < end:
            piece = os.pread(descriptor, min(_PIECE, end - offset), offset)
            if not piece or not piece.isascii():
                return bool(piece)
            offset += len(piece)
        return False
    finally:
        os.close(descriptor)


def in_seven_bits(message: Outgoing) -> Outgoing | None:
    """The message in ASCII, None where that can't be said without loss. Blocks, and holds all of
    it in memory. Raises OSError.
    """
    data = message.data
    if data is None:
        data = read_start(message.path, message.offset, message.size)
    made = seven_bit(data)
    return None if made is None else replace(message, data=made, size=len(made), eightbit=False)


def has_utf8_header(message: Outgoing) -> bool:
    """True when the header is not pure ASCII: only then SMTPUTF8 is needed for it. Blocks."""
    if message.data is None:
        octets = min(_MAX_HEADER, message.size)
        start = read_start(message.path, message.offset, octets)
    else:
        start = message.data
    end = start.find(b"\r\n\r\n")
    return not (start if end < 0 else start[:end]).isascii()
