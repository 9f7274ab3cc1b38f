"""The parts table: BODY[1.2.MIME] to one range of the file, without parsing it."""

from enum import StrEnum

from message.scan import Part


class Specifier(StrEnum):
    """What of a part is meant; HEADER.FIELDS and HEADER.FIELDS.NOT have the range of HEADER."""

    ALL = ""
    HEADER = "HEADER"
    TEXT = "TEXT"
    MIME = "MIME"


def pack_parts(root: Part) -> bytes: ...
def locate(
    parts: bytes, numbers: tuple[int, ...], specifier: Specifier = Specifier.ALL
) -> tuple[int, int] | None:
    """(offset, length) in the CRLF form, or None when there is no such part (RFC 3501 §6.4.5)."""
def part_encoding(parts: bytes, numbers: tuple[int, ...]) -> str | None:
    """"7bit", "8bit", "binary", "base64", "quoted-printable", "unknown"; None: no such part."""
