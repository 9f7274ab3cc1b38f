"""`meta`: what FETCH sends of a message, as one blob of the store."""

from typing import NamedTuple

from message.render import Rendered


class Meta(NamedTuple):
    version: int
    fields_complete: bool
    eight_bit: bool
    size: int
    header_length: int
    lines: int
    date: int | None
    date_zone: int
    envelope: bytes
    bodystructure: bytes
    body: bytes
    fields: bytes
    message_id: bytes
    subject_base: bytes      # UTF-8
    references: bytes        # space separated


def pack_meta(rendered: Rendered) -> bytes: ...
def unpack_meta(blob: bytes) -> Meta: ...
def meta_version(blob: bytes) -> int: ...
def meta_envelope(blob: bytes) -> bytes: ...
def meta_bodystructure(blob: bytes) -> bytes: ...
