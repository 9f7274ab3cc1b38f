"""The reports inside a message: attachments found, decoded and unpacked under limits.

gzip, zip and plain attachments are told apart by their first octets, since senders' types and
names can't be relied on. Whatever would become too large is refused before it is.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator

from message.decoding import decode
from message.scan import Part, scan, walk

MAX_PACKED = 16 * 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024
# XML of reports shrinks to a twentieth or so; what shrinks far more is a bomb.
MAX_RATIO = 100
SMALL = 1024 * 1024
MAX_ATTACHMENTS = 20
# Of gzip; each costs a copy of what is behind it.
MAX_MEMBERS = 100

_TYPES = frozenset(
    f"application/{subtype}"
    for subtype in (
        *("gzip", "x-gzip", "gunzip", "zip", "x-zip", "x-zip-compressed", "octet-stream"),
        *("xml", "tlsrpt+gzip", "tlsrpt+json", "json"),
    )
) | {"text/xml"}
_SUFFIXES = (".xml", ".xml.gz", ".zip", ".gz", ".json", ".json.gz")


class ArchiveRefused(ValueError):
    """Too large, or broken; the text says which in a few words."""


def attachments(message: bytes) -> Iterator[bytes]:
    """The content of each attachment that may be a report, unpacked. Raises ArchiveRefused."""
    found = 0
    for part in walk(scan(message)):
        if _may_be_report(part):
            found += 1
            if found > MAX_ATTACHMENTS:
                return
            body = message[part.body_offset : part.body_offset + part.body_length]
            yield unpack(decode(body, part.encoding.decode("ascii", "replace")))


def unpack(data: bytes) -> bytes:
    """The document in gzip, zip or plain data. Raises ArchiveRefused."""
    if len(data) > MAX_PACKED:
        raise ArchiveRefused("the report is too large")
    if data.startswith(b"\x1f\x8b"):
        return _gunzip(data)
    if data.startswith(b"PK\x03\x04"):
        return _unzip(data)
    return data


def _may_be_report(part: Part) -> bool:
    if part.is_multipart or part.is_message:
        return False
    return part.content_type in _TYPES or (part.filename or "").lower().endswith(_SUFFIXES)


def _gunzip(data: bytes) -> bytes:
    """Every member, as gunzip does."""
    pieces: list[bytes] = []
    room = _room(data)
    while data.startswith(b"\x1f\x8b"):
        if len(pieces) >= MAX_MEMBERS:
            raise ArchiveRefused("the gzip data is in too many pieces")
        inflater = zlib.decompressobj(wbits=31)
        try:
            piece = inflater.decompress(data, room + 1)
        except zlib.error:
            raise ArchiveRefused("the gzip data is broken") from None
        room -= len(piece)
        if room < 0:
            raise ArchiveRefused("the report is too large when unpacked")
        if not inflater.eof:
            raise ArchiveRefused("the gzip data is cut short")
        pieces.append(piece)
        data = inflater.unused_data
    return b"".join(pieces)


def _room(packed: bytes) -> int:
    """How large it may become."""
    return min(MAX_UNPACKED, max(SMALL, MAX_RATIO * len(packed)))


def _unzip(data: bytes) -> bytes:
    """The first file of the archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = next((one for one in archive.infolist() if not one.is_dir()), None)
            if entry is None or entry.compress_type not in (
                zipfile.ZIP_STORED,
                zipfile.ZIP_DEFLATED,
            ):
                raise ArchiveRefused("the zip archive holds no report")
            with archive.open(entry) as file:
                found = file.read(_room(data) + 1)
    except ArchiveRefused:
        raise
    # zipfile raises what its fields lead it to: ValueError for a place before the beginning,
    # UnicodeDecodeError for a name, RuntimeError for a password, and more
    except Exception:
        raise ArchiveRefused("the zip archive is broken") from None
    if len(found) > _room(data):
        raise ArchiveRefused("the report is too large when unpacked")
    return found
