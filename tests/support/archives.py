"""Archives made to order, sound and otherwise."""

import io
import struct
import tarfile
import zipfile
from base64 import b64decode, encodebytes
from binascii import b2a_uu
from collections.abc import Mapping

PROGRAM = b"MZ\x90\0\3\0\0\0" + bytes(600)


# Made by 7-Zip of run.exe and note.txt; "open" has its header unpacked, "sealed" has it encrypted.
SEVEN = {
    "plain": b64decode(
        "N3q8ryccAATVlUGpqAAAAAAAAAAgAAAAAAAAAOzDv+fgAD0AOF0AMIgJhzQFobMnClSQPikS/U7LOdAy8teL"
        "hn5w1GVDJ9dmxDqDt47e72qf+P1M/dbU7+SBiG9xYAAAAACBMweuD9Hy+/1AwJDS/31pTYMZl04p5Uge9XbA"
        "IPKGZgHStuhalgQyJPniMjcq1d+HeexyGZ40lZ+hjRWx90PGgOGe6zWrY2T1ccTPBnhVf6C88VgAeMwkKSS4"
        "RWjFWg6HiuAAAAAXBkABCWgABwsBAAEjAwEBBV0AEAAADHYKAQWhUccAAA=="
    ),
    "open": b64decode(
        "N3q8ryccAATs4564QAAAAAAAAAB2AAAAAAAAAAWhUcfgAD0AOF0AMIgJhzQFobMnClSQPikS/U7LOdAy8teL"
        "hn5w1GVDJ9dmxDqDt47e72qf+P1M/dbU7+SBiG9xYAAAAQQGAAEJQAAHCwEAASEhAQAMPgAIDQIJPAoB5jhi"
        "YR8I6kYAAAUCGQQAAAAAESMAbgBvAHQAZQAuAHQAeAB0AAAAcgB1AG4ALgBlAHgAZQAAABkAFBIBAN5FTgyN"
        "f90B3kVODI1/3QEVCgEAIICkgSCApIEAAA=="
    ),
    "locked": b64decode(
        "N3q8ryccAAQx2JZVxAAAAAAAAAAiAAAAAAAAAH0g1jIiEoLZJDrpcbV/z+JOc78K4I5AReuDlNJM6261IoyL"
        "iq9g1Iopp3CQz1kyG9lizMQCNzPLyOgOpCYyo6OAmg5WAACBMweuD9Hy+/1Au5RkOzmkeudqI0XJQr6pFZDc"
        "UKY4LKZlT9NkHwFgcdV2cw+xV+RWJvlZ8KW4yckoDpH5om9bwEWDN++LXqPklAgbagoG4r0OBa55xUxxJGod"
        "q9fEhEvCA4rmq+GR1intEg9P6A15Ll5XWvRZ2FlvP9iJVPfAAAAAFwZAAQmAhAAHCwEAASMDAQEFXQAQAAAM"
        "gJYKAfM4CNUAAA=="
    ),
    "sealed": b64decode(
        "N3q8ryccAATvyw+S0AAAAAAAAAA+AAAAAAAAAOOHk2b90U7smNF8QHyKb+A+tk3PNo2UABGjd3Q7OI7gKws5"
        "b3o3Llgx/gAeAlqvroNyN0f335o1io0VEzCZoCGKhX6II2EKMSzZn/picKFYT+1a+bG1vkMn0x056QDmqQiN"
        "Uj1d34R90l731U9Kn5LMPlvKYjTrSOzqBRmT+eF3uFcfMdQ7UQwt7jaFuh3zVSZxm5a5MtUzZeGhDEmhnuaM"
        "8gF/JR8gGCFYhrBQYp5Fdf1snTb0q1Uut0GDf0+dn1DFmlRoftnPxIw+ZpjpP3bhX3sfFwZAAQmAkAAHCwEA"
        "AiQG8QcBElMPxDbuMEMNdfjN0kee2hNtCCMDAQEFXQAQAAABAAyAhICWCgEvMmBtAAA="
    ),
}


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def tarred(members: Mapping[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def encrypted(archive: bytes) -> bytes:
    """A ZIP archive whose members say that they need a password."""
    changed = bytearray(archive)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + place] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


def overlapping(copies: int, size: int) -> bytes:
    """One member, which the directory names again and again (as the bombs of D. Fifield do)."""
    archive = zipped({"a": bytes(size)})
    end = archive.rfind(b"PK\x05\x06")
    (length, first) = struct.unpack_from("<II", archive, end + 12)
    directory = archive[first : first + length] * copies
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), first, 0)
    return archive[:first] + directory + tail


def onion(layers: int, core: bytes, name: str = "core") -> bytes:
    """`core` in that many ZIP archives."""
    for number in range(layers):
        core = zipped({f"{name}{number or ''}": core})
        name = "next.zip"
    return core


def rar4(name: bytes, *, flags: int = 0, main: int = 0) -> bytes:
    """A header of version 4 with one file."""
    head = b"\0\0\x73" + struct.pack("<HH", main, 13) + bytes(6)
    size = 32 + len(name)
    fields = struct.pack("<IIBIIBBHI", 4, 9, 2, 0, 0, 29, 0x33, len(name), 0)
    file = b"\0\0\x74" + struct.pack("<HH", 0x8000 | flags, size) + fields + name
    return b"Rar!\x1a\x07\0" + head + file + b"data" + b"\xc4\x3d\x7b\0\x40\x07\0"


def rar5(name: bytes, *, locked: bool = False, sealed: bool = False) -> bytes:
    """A header of version 5 with one file; `sealed`: the headers are encrypted."""
    extra = b"\x02\x01\0" if locked else b""
    body = b"\x02" + (b"\x03" if locked else b"\x02")
    body += (bytes([len(extra)]) if locked else b"") + b"\x04"
    body += b"\0\x09\x20\x80\0\x01" + bytes([len(name)]) + name + extra
    file = bytes(4) + bytes([len(body)]) + body + b"data"
    first = bytes(4) + (b"\x02\x04\0" if sealed else b"\x03\x01\0\0")
    return b"Rar!\x1a\x07\x01\0" + first + file + bytes(4) + b"\x03\x05\0\0"


def tnef(files: Mapping[str, bytes]) -> bytes:
    """A TNEF stream, as Outlook's winmail.dat (MS-OXTNEF §2.1)."""

    def attribute(level: int, ident: int, value: bytes) -> bytes:
        check = sum(value) & 0xFFFF
        return struct.pack("<BII", level, ident, len(value)) + value + struct.pack("<H", check)

    made = struct.pack("<IH", 0x223E9F78, 1) + attribute(1, 0x00089006, b"\0\0\1\0")
    for name, content in files.items():
        made += attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x0006800F, content)
        made += attribute(2, 0x00018010, name.encode("cp1252") + b"\0")
        made += attribute(2, 0x00069005, b"\x01\0\0\0properties")
    return made


def uuencoded(name: str, content: bytes) -> bytes:
    """As the program of that name makes it, for a mail's text."""
    lines = b"".join(b2a_uu(content[at : at + 45]) for at in range(0, len(content), 45))
    return b"begin 644 %b\n%b`\nend\n".replace(b"\n", b"\r\n") % (
        name.encode(),
        lines.replace(b"\n", b"\r\n"),
    )


def message(files: Mapping[str, bytes], subject: str = "files") -> bytes:
    """A message with files attached in base64."""
    parts = [
        f"--b\r\nContent-Type: application/octet-stream\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n".encode()
        + encodebytes(data).replace(b"\n", b"\r\n")
        for name, data in files.items()
    ]
    return (
        f"Subject: {subject}\r\nMIME-Version: 1.0\r\n".encode()
        + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        + b"--b\r\nContent-Type: text/plain\r\n\r\nlook\r\n"
        + b"".join(parts)
        + b"--b--\r\n"
    )
