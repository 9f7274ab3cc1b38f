"""Rules about attachments: names against types against what the first octets are."""

import re
from typing import Final

from filters.spam.domains import words
from filters.spam.reading import Attachment
from filters.spam.rules.mail import Finds, Found, Mail
from message.file_kinds import ARCHIVES, EXECUTABLES, IMAGES, MACROS, SCRIPTS

_PROGRAMS: Final = words(
    "ade adp apk appx bat chm cmd com cpl dll exe hta inf ins isp jar jnlp js jse lnk mde msc msi"
    " msp mst pif ps1 ps2 psc1 reg scf scr sct shb sys url vb vbe vbs vxd wsc wsf wsh xll"
)
_DOCUMENTS: Final = words(
    "pdf doc docx xls xlsx ppt pptx odt ods rtf txt csv jpg jpeg png gif bmp tif tiff mp3 mp4 avi"
    " htm html zip wav"
)
_MACRO_NAMES: Final = words("docm dotm xlsm xltm xlam pptm potm ppam xlsb")
_DISKS: Final = words("img iso vhd vhdx udf")
_DISK_KINDS: Final = frozenset({"iso", "vhd", "vhdx"})
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SPACES: Final = re.compile(r"\s{10,}\.?\w{2,4}\s*$")
# In the local headers of a ZIP archive: flags, and the name with its length.
_MEMBER: Final = re.compile(rb"PK\x03\x04..(..).{18}(..)..", re.DOTALL)
_MEMBERS: Final = 50


def one_by_one(mail: Mail) -> Finds:
    attachments = [one for one in mail.reading.attachments if not _is_message(one)]
    if not attachments:
        return
    yield Found("HAS_ATTACHMENT", str(len(attachments)))
    for one in attachments[:50]:
        yield from _name(one)
        yield from _content(one)


def alone(mail: Mail) -> Finds:
    if len(mail.reading.attachments) != 1 or mail.transit.user:
        return
    (one,) = mail.reading.attachments
    if not mail.text.strip() and not _is_message(one) and not one.type.startswith("image/"):
        yield Found("MIME_ONE_ATTACHMENT_NO_TEXT", one.name[:60])


def _name(one: Attachment) -> Finds:
    name = one.name.strip().lower()
    if not name:
        return
    shown = name[-80:]
    if _TURNS.search(name):
        yield Found("MIME_BAD_UNICODE", ascii(shown))
    if _SPACES.search(name):
        yield Found("MIME_NAME_SPACES", shown[-20:])
    *front, ending = name.rsplit(".", 2)
    if not front:
        return
    if ending in _PROGRAMS:
        double = len(front) == 2 and front[1].strip() in _DOCUMENTS
        yield Found("MIME_DOUBLE_BAD_EXTENSION" if double else "MIME_BAD_EXTENSION", shown)
    elif ending in _MACRO_NAMES:
        yield Found("MIME_MACRO_DOCUMENT", shown)
    elif ending in _DISKS:
        yield Found("MIME_DISK_IMAGE", shown)
    elif ending in ("htm", "html", "shtml", "svg", "xhtml"):
        yield Found("MIME_HTML_ATTACHMENT", shown)


def _content(one: Attachment) -> Finds:
    kind = one.kind
    if not kind:
        return
    ending = one.name.rpartition(".")[2].strip().lower() if "." in one.name else ""
    shown = f"{one.name[-60:] or one.type} is {kind}"
    if kind in EXECUTABLES or kind in SCRIPTS:
        if ending in _DOCUMENTS or one.type.startswith(("image/", "text/plain", "audio/")):
            yield Found("MIME_BAD_ATTACHMENT", shown)
        elif kind in EXECUTABLES:
            yield Found("MIME_EXECUTABLE", shown)
    elif _differs(one, kind, ending):
        yield Found("MIME_TYPE_MISMATCH", shown)
    if kind in MACROS and ending not in _MACRO_NAMES:
        yield Found("MIME_MACRO_DOCUMENT", shown)
    if kind in _DISK_KINDS and ending not in _DISKS:
        yield Found("MIME_DISK_IMAGE", shown)
    if kind == "html" and ending not in ("htm", "html", "shtml", "xhtml") and ending:
        yield Found("MIME_HTML_ATTACHMENT", shown)
    if kind in ("zip", "jar"):
        yield from _archive(one)


def _differs(one: Attachment, kind: str, ending: str) -> bool:
    if one.type == "application/pdf" or ending == "pdf":
        return kind != "pdf"
    if one.type.startswith("image/") and kind not in IMAGES:
        return kind in ARCHIVES or kind in ("html", "pdf")
    return False


def _archive(one: Attachment) -> Finds:
    """What the beginning of an archive shows; all of it is the attachment policy's to look at."""
    locked = False
    for number, found in enumerate(_MEMBER.finditer(one.start)):
        if number >= _MEMBERS:
            break
        locked = locked or bool(found[1][0] & 1)
        size = int.from_bytes(found[2], "little")
        name = one.start[found.end() : found.end() + min(size, 255)].decode("utf-8", "replace")
        ending = name.lower().rpartition(".")[2]
        if ending in _PROGRAMS:
            yield Found("MIME_ARCHIVE_BAD_EXTENSION", name[-60:])
        elif ending in ARCHIVES and ending not in ("jar", "z"):
            yield Found("MIME_ARCHIVE_IN_ARCHIVE", name[-60:])
    if locked:
        yield Found("MIME_ENCRYPTED_ARCHIVE", one.name[-60:])


def _is_message(one: Attachment) -> bool:
    return one.type.startswith("message/") or one.type in (
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "text/rfc822-headers",
    )


def signatures(mail: Mail) -> Finds:
    types = {one.type for one in mail.reading.attachments}
    whole = mail.reading.facts.type
    if whole == "multipart/signed" and "application/pgp-signature" in types:
        yield Found("SIGNED_PGP")
    elif whole == "multipart/signed" and any("pkcs7-signature" in one for one in types):
        yield Found("SIGNED_SMIME")
    elif whole == "multipart/encrypted" and "application/pgp-encrypted" in types:
        yield Found("ENCRYPTED_PGP")


RULES = (one_by_one, alone, signatures)
