"""What IMAP FETCH needs of a message, rendered to ready bytes once, at delivery."""

from dataclasses import dataclass

from message.crlf import Buffer

RENDERER_VERSION = 1


@dataclass(frozen=True, slots=True)
class Rendered:
    """Ready bytes and values of one message; lengths and counts are those of the CRLF form."""

    envelope: bytes
    bodystructure: bytes
    body: bytes
    fields: bytes            # raw lines of the header fields that clients ask for
    fields_complete: bool    # False: too large to keep, read the header from the file
    eight_bit: bool          # 8-bit header bytes: a UTF8=ACCEPT or IMAP4rev2 session renders again
    size: int
    header_length: int
    lines: int
    parts: bytes             # message.section.locate
    message_id: bytes        # with <>, b"" if none
    references: tuple[bytes, ...]
    subject_base: str        # RFC 5256 §2.1, not case-folded
    date: int | None         # Date: header, Unix seconds UTC
    date_zone: int           # its zone, minutes east
    digest: bytes            # blake2b-128 of the CRLF form


def render(data: Buffer, digest: bytes | None = None, utf8: bool = False) -> Rendered: ...
