"""What a file really is, by its first bytes and a few others: never by its name or declared type.

Pure. `data` may be the beginning of a file only; the more there is, the finer the answer. What is
looked at is bounded: the first 64 KiB, the last 64 KiB, and a few places named by the format.
"""

import re
from collections.abc import Callable

from message.file_kinds import MACROS

EDGE = 64 * 1024
_TEXT = 4096

# (where, what, kind), the more telling first.
_AT: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x7fELF", "elf"),
    (0, b"\xfe\xed\xfa\xce", "macho"),
    (0, b"\xfe\xed\xfa\xcf", "macho"),
    (0, b"\xce\xfa\xed\xfe", "macho"),
    (0, b"\xcf\xfa\xed\xfe", "macho"),
    (0, b"\xbe\xba\xfe\xca", "macho"),
    (0, b"\xca\xfe\xba\xbf", "macho"),
    (0, b"dex\n03", "dex"),
    (0, b"\0asm", "wasm"),
    (0, b"L\0\0\0\x01\x14\x02\0", "lnk"),
    (0, b"ITSF", "chm"),
    (0, b"{\\rt", "rtf"),
    (0, bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3"), "one"),
    (0, b"\0\1\0\0Standard Jet DB", "mdb"),
    (0, b"\0\1\0\0Standard ACE DB", "mdb"),
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x1f\x8b\x08", "gz"),
    (0, b"BZh", "bz2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x5d\0\0\x80\0", "lzma"),
    (0, b"\x5d\0\0\0\x04", "lzma"),
    (0, b"\x28\xb5\x2f\xfd", "zst"),
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x1f\x9d", "z"),
    (257, b"ustar", "tar"),
    (0, b"MSCF", "cab"),
    (0, b"ISc(", "cab"),
    (0x8001, b"CD001", "iso"),
    (0x8801, b"CD001", "iso"),
    (0, b"\x60\xea", "arj"),
    (7, b"**ACE**", "ace"),
    (0, b"070701", "cpio"),
    (0, b"070702", "cpio"),
    (0, b"070707", "cpio"),
    (0, b"!<arch>\ndebian", "deb"),
    (0, b"!<arch>\n", "ar"),
    (0, b"\xed\xab\xee\xdb", "rpm"),
    (0, b"xar!", "xar"),
    (0, bytes.fromhex("636f6e6563746978"), "vhd"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"\x78\x9f\x3e\x22", "tnef"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"\0\0\1\0", "ico"),
    (0, b"8BPS", "psd"),
    (0, b"\xd7\xcd\xc6\x9a", "wmf"),
    (40, b" EMF", "emf"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\x1aE\xdf\xa3", "mkv"),
    (0, b"wOFF", "woff"),
    (0, b"wOF2", "woff"),
    (0, b"SQLite format 3\0", "sqlite"),
    (0, b"!BDN", "pst"),
    (0, b"%!PS", "ps"),
    (0, b"-----BEGIN PGP", "pgp"),
    (0, b"-----BEGIN CERT", "pem"),
)
_RIFF = {b"WEBP": "webp", b"AVI ": "avi", b"WAVE": "wav", b"ACON": "ani"}
_BRANDS = {b"heic": "heic", b"heix": "heic", b"mif1": "heic", b"avif": "avif"}
_SWF = re.compile(rb"[FCZ]WS[\x01-\x3f]")
_LHA = re.compile(rb"-l[hz][0-9a-z]-")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def kind_of(data: bytes) -> str:
    """A short lower-case name such as "exe", "zip", "pdf", "html"; "" when nothing is known.

    message/file_kinds.py names the kinds by family; "text" is never guessed.
    """
    for finder in _FINDERS:
        kind = finder(data)
        if kind:
            return kind
    return ""


def has_macros(data: bytes) -> bool:
    """True for an Office document, old or new, that carries a VBA project or a macro sheet."""
    if data.startswith(_OLE):
        return any(_entry(name) in data for name in ("_VBA_PROJECT", "Macros", "_VBA_PROJECT_CUR"))
    return _zip(data) in MACROS


def _executable(data: bytes) -> str:
    if data[:2] in (b"MZ", b"ZM") and b"\0" in data[:64]:
        return "exe"
    if data.startswith(b"\xca\xfe\xba\xbe") and len(data) >= 8:
        # Mach-O counts its architectures where a Java class has its version, 45 and more.
        return "macho" if int.from_bytes(data[4:8]) < 43 else "class"
    return ""


def _fixed(data: bytes) -> str:
    for where, what, kind in _AT:
        if data.startswith(what, where):
            return kind
    return ""


def _container(data: bytes) -> str:
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "mp4")
    if _SWF.match(data):
        return "swf"
    if _LHA.match(data, 2):
        return "lha"
    if data.startswith(b"BM") and data[6:10] == b"\0\0\0\0" and data[14:18].endswith(b"\0\0\0"):
        return "bmp"
    return ""


def _ole(data: bytes) -> str:
    if not data.startswith(_OLE):
        return ""
    for name, kind in _STREAMS:
        if name in data:
            return kind
    return "ole"


def _wide(name: str) -> bytes:
    return name.encode("utf-16-le")


def _entry(name: str) -> bytes:
    """As a directory has it: behind the name, which the text may have too, are zeros."""
    return _wide(name) + bytes(4)


# The second is the class of an installer database, as its root entry has it.
_STREAMS = (
    (_wide("WordDocument"), "doc"),
    (bytes.fromhex("84100c0000000000c000000000000046"), "msi"),
    (_wide("Workbook"), "xls"),
    (_wide("PowerPoint Document"), "ppt"),
    (_wide("__substg1.0_"), "msg"),
)


def _zip(data: bytes) -> str:
    if not data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08PK", b"PK00PK\x03\x04")):
        return ""
    edges = data if len(data) <= 2 * EDGE else data[:EDGE] + data[-EDGE:]
    for name, kind in (
        (b"word/", "doc"),
        (b"xl/", "xls"),
        (b"ppt/", "ppt"),
    ):
        if name in edges and b"[Content_Types].xml" in edges:
            macros = b"vbaProject.bin" in edges or b"xl/macrosheets/" in edges
            return kind + ("m" if macros else "x")
    return next((kind for name, kind in _MEMBERS if name in edges), "zip")


_MEMBERS = (
    (b"AndroidManifest.xml", "apk"),
    (b"META-INF/MANIFEST.MF", "jar"),
    (b"mimetypeapplication/vnd.oasis.opendocument", "odf"),
    (b"mimetypeapplication/epub", "epub"),
    (b"[Content_Types].xml", "ooxml"),
)


def _pdf(data: bytes) -> str:
    # Readers take what begins within the first KiB.
    return "pdf" if b"%PDF-" in data[:1024] else ""


def _text(data: bytes) -> str:
    """What is known by its words: documents of markup, scripts, shortcuts."""
    if data.startswith(b"#!"):
        return "script"
    text = _narrow(data[:_TEXT]).lstrip(b"\xef\xbb\xbf \t\r\n\x0c\0").lower()
    if not text or b"\0" in text[:256]:
        return ""
    for kind, telling in _WORDS:
        if telling(text):
            return kind
    return ""


def _narrow(text: bytes) -> bytes:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return text.decode("utf-16", "replace").encode("ascii", "replace")
    return text


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda text: text.startswith(beginnings)


def _has(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.search(text) is not None


# Text is lower case, without what stands before its first word. The order matters.
_WORDS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("hta", _has(rb"<hta:application")),
    ("wsf", _has(rb"^(<\?xml[^>]{0,100}>\s{0,20})?<(job|package|scriptlet|component)[ >]")),
    ("svg", _has(rb"^(<\?xml[^>]{0,200}>\s{0,20})?(<!--[^>]{0,500}-->\s{0,20}|<!doctype svg)?"
                 rb"[^<]{0,20}<svg[ >\r\n:]|^<!doctype svg")),
    ("html", _has(rb"^(<!--.{0,500}-->\s{0,20}|<\?xml[^>]{0,200}>\s{0,20})?"
                  rb"<(!doctype html|html|head|body|title|script|iframe|meta|table|div|style)"
                  rb"[ >\r\n\t/]")),
    ("xml", _starts(b"<?xml")),
    ("url", _starts(b"[internetshortcut]")),
    ("reg", _starts(b"windows registry editor", b"regedit4")),
    ("bat", _has(rb"^@?(echo off|setlocal|start /)|^@echo|^(rem |:: ).{0,500}\n@?(echo|set)")),
    ("vcf", _starts(b"begin:vcard")),
    ("ics", _starts(b"begin:vcalendar")),
    ("ps1", _has(rb"invoke-(expression|webrequest)|new-object\s+(system\.)?net\."
                 rb"|\[system\.convert\]::|set-executionpolicy|\bparam\s{0,5}\(\s{0,20}\[[a-z.]+\]\s{0,5}\$")),
    ("vbs", _has(rb"^(option explicit|on error resume next|dim [a-z_]\w{0,60}\s{0,5}(,|\r|\n|:))"
                 rb"|\bcreateobject\s{0,5}\(\s{0,5}\"(wscript|scripting|msxml|adodb|shell)"
                 rb".{0,300}\bset\b|\bset\s+\w{1,60}\s{0,5}=\s{0,5}createobject\s{0,5}\(")),
    ("js", _has(rb"^(\"use strict\"|'use strict'|\(?function\s{0,5}\w{0,60}\s{0,5}\(|!function\()"
                rb"|new activexobject\s{0,5}\(|wscript\.(createobject|shell|echo|quit)"
                rb"|^(var|let|const)\s+[a-z_$][\w$]{0,60}\s{0,5}=\s{0,5}[^=]{0,2000};"
                rb"|\beval\s{0,5}\(\s{0,5}(unescape|atob|string\.fromcharcode)")),
)  # fmt: skip


def is_late_zip(data: bytes) -> bool:
    """Whether a ZIP archive stands behind something else, whatever that is: its end says so."""
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - EDGE))
    if end < 0 or len(data) < end + 22:
        return False
    size = int.from_bytes(data[end + 12 : end + 16], "little")
    return size <= end and data.startswith(b"PK\x01\x02", end - size)


def _late_zip(data: bytes) -> str:
    return "zip" if is_late_zip(data) else ""


_FINDERS: tuple[Callable[[bytes], str], ...] = (
    _executable,
    _ole,
    _zip,
    _fixed,
    _container,
    _pdf,
    _text,
    _late_zip,
)
