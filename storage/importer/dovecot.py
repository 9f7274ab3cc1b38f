"""Dovecot's small files in a Maildir: dovecot-uidlist, dovecot-keywords, subscriptions. Pure.

Bytes in, values out. Lines that can't be read are skipped: what they would have told (a UID, a
keyword) is then missing from the import, the message is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.maildir_names import SEPARATOR, decode_utf7

MAX_UID = 2**32 - 1


@dataclass(frozen=True, slots=True)
class UidList:
    """`uids` by base name (without `:2,`). All zero and empty when the file is not one."""

    uidvalidity: int = 0
    uidnext: int = 0
    uids: Mapping[str, int] = field(default_factory=dict)


def parse_uidlist(data: bytes) -> UidList:
    """Versions 1 (`1 VALIDITY NEXT`, `UID NAME`) and 3 (`3 V… N…`, `UID fields :NAME`)."""
    first, *lines = data.decode(errors="surrogateescape").split("\n")
    version, *head = first.split(" ")
    if version == "3":
        fields = {word[:1]: word[1:] for word in head}
        validity, following = _number(fields.get("V", "")), _number(fields.get("N", ""))
    elif version == "1" and len(head) >= 2:
        validity, following = _number(head[0]), _number(head[1])
    else:
        return UidList()
    if not validity:
        return UidList()
    uids: dict[str, int] = {}
    for line in lines:
        uid, _, rest = line.partition(" ")
        name = rest.partition(":")[2] if version == "3" else rest
        if (number := _number(uid)) and name:
            uids[name.partition(":")[0]] = number
    return UidList(validity, max([following, *(uid + 1 for uid in uids.values())]), uids)


def parse_keywords(data: bytes) -> dict[str, str]:
    """dovecot-keywords: keyword by file name letter (index 0 is `a`)."""
    letters: dict[str, str] = {}
    for line in data.decode(errors="replace").split("\n"):
        index, _, word = line.partition(" ")
        if index.isdecimal() and int(index) < 26 and word:
            letters[chr(ord("a") + int(index))] = word
    return letters


def parse_subscriptions(data: bytes) -> list[str]:
    """subscriptions: one name a line with `.` between levels, or version 2 with tabs."""
    lines = data.decode(errors="replace").split("\n")
    if lines[0] == "V\t2":
        return [SEPARATOR.join(map(_decoded, line.split("\t"))) for line in lines[1:] if line]
    return [SEPARATOR.join(map(_decoded, line.split("."))) for line in lines if line]


def _decoded(level: str) -> str:
    try:
        return decode_utf7(level)
    except ValueError:
        return level


def _number(text: str) -> int:
    """A 32-bit number above zero, or 0."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    return number if number <= MAX_UID else 0
