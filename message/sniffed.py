"""The media type of a file by its octets, as it is told to browsers. Pure.

Names and types that others give are never believed: an HTML file called a picture is HTML.
"""

from typing import Final

from message.magic import kind_of

UNKNOWN: Final = "application/octet-stream"
_OPEN: Final = "application/vnd.openxmlformats-officedocument"
_TYPES: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "heic": "image/heic",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
    "ico": "image/x-icon",
    "psd": "image/vnd.adobe.photoshop",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "ps": "application/postscript",
    "rtf": "application/rtf",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "docx": f"{_OPEN}.wordprocessingml.document",
    "xlsx": f"{_OPEN}.spreadsheetml.sheet",
    "pptx": f"{_OPEN}.presentationml.presentation",
    "docm": "application/vnd.ms-word.document.macroEnabled.12",
    "xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    "epub": "application/epub+zip",
    "zip": "application/zip",
    "7z": "application/x-7z-compressed",
    "rar": "application/vnd.rar",
    "gz": "application/gzip",
    "bz2": "application/x-bzip2",
    "xz": "application/x-xz",
    "zst": "application/zstd",
    "tar": "application/x-tar",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "avi": "video/x-msvideo",
    "html": "text/html",
    "xml": "application/xml",
    "ics": "text/calendar",
    "vcf": "text/vcard",
    "pgp": "application/pgp-encrypted",
    "pem": "application/x-pem-file",
    "sqlite": "application/vnd.sqlite3",
}
INLINE: Final = frozenset(
    (
        *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"),
        *("audio/mpeg", "audio/ogg", "audio/flac", "audio/wav", "video/mp4", "text/plain"),
    )
)
"""What a browser may show: it runs nothing of it."""
_TEXT: Final = 4096


def media_type(head: bytes) -> str:
    """By the first octets; the more there are, the finer."""
    kind = kind_of(head)
    if kind:
        return _TYPES.get(kind, UNKNOWN)
    return "text/plain" if head and _is_text(head[:_TEXT]) else UNKNOWN


def _is_text(head: bytes) -> bool:
    """UTF-8 without controls; the end may be in the middle of a character."""
    if any(octet < 32 and octet not in (9, 10, 12, 13, 27) for octet in head):
        return False
    for cut in range(4):
        try:
            head[: len(head) - cut].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False
