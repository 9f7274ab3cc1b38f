"""MIME structure by byte offsets: one pass, no decoding, nothing copied.

Offsets are those of the CRLF form (message/crlf.py). `scan` never raises and takes linear time; past
the bounds a part is a leaf. Decoding of bodies and words lives elsewhere.
"""

from dataclasses import dataclass, field

from message.crlf import Buffer

MAX_DEPTH = 100
MAX_PARTS = 10_000


@dataclass(slots=True, eq=False)
class Part:
    """One MIME entity; `header_*` covers its header block with the blank line, `body_*` its body.

    Values are raw bytes as sent; `type`, `subtype` and `encoding` are lower case. `lines` is
    counted for text and message parts. A message/rfc822 part has one child: the message inside.
    """

    header_offset: int
    header_length: int
    body_offset: int
    body_length: int
    lines: int
    type: bytes
    subtype: bytes
    params: tuple[tuple[bytes, bytes], ...]
    encoding: bytes
    fields: dict[bytes, bytes]
    children: list["Part"] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool: ...
    @property
    def is_message(self) -> bool: ...
    @property
    def content_type(self) -> str: ...
    @property
    def charset(self) -> str: ...
    @property
    def disposition(self) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]] | None: ...
    @property
    def filename(self) -> str | None: ...


def scan(data: Buffer) -> Part: ...
def walk(part: Part) -> "list[Part]": ...
