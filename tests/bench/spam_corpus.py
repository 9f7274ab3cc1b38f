"""The labelled corpus of `scripts/bench spam`: read, ordered, cut in two, stripped of what tells.

Labels come from the folders of the package. Within each class the mails stand in the order of the
topmost Received date; the older 70 % train, the newer 30 % judge, without those whose body the
older part holds too. `older` alone is for choosing and tuning; `newer` is for the release figure.
"""

import re
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path
from typing import Final

ROOT: Final = Path("var/spam-corpus/data")
OLDER: Final = 0.7
_GROUPS: Final = {
    "easy-ham-1": False,
    "easy-ham-2": False,
    "hard-ham-1": False,
    "spam-1": True,
    "spam-2": True,
}
# Fields that only the collection, a mailing list or another filter has put in.
_TELLING: Final = re.compile(
    rb"(?:x-spam|list-|x-mailman|x-mailing-list)[^:]*|precedence|x-keywords|delivery-date"
    rb"|delivered-to|return-path|x-beenthere|x-loop|mailing-list|errors-to|x-envelope-to"
    rb"|x-original-to|x-pyzor|x-razor[^:]*|x-mts|status|x-status|x-uid[^:]*|old-return-path"
    rb"|x-fetchmail[^:]*|x-apparently-to|x-list[^:]*|x-ml[^:]*|old-subject|x-delivered-to|x-sieve"
    rb"|x-original-date|x-egroups[^:]*|x-precedence[^:]*|x-bulkmail|x-mdaemon-deliver-to",
    re.IGNORECASE,
)
# Where the mails were gathered: the collectors' own hosts, list hosts they ran, spam traps.
_GATHERED: Final = re.compile(
    rb"localhost|127\.0\.0\.1|fetchmail|(?:[\w-]+\.)*(?:netnoteinc\.com|slashnull\.org|jmason\.org"
    rb"|spamassassin\.taint\.org|taint\.org|webnote\.net|example\.com|sourceforge\.net|tuatha\.org"
    rb"|linux\.ie|pro-ns\.net|ssz\.com|minder\.net|midrange\.com|easydns\.com|xent\.com|egwn\.net"
    rb"|redhat\.com|yahoogroups\.com|egroups\.com)",
    re.IGNORECASE,
)
_MASKED: Final = re.compile(
    rb"[\w.+=-]{1,64}@(?:[\w-]{1,63}\.){0,4}(?:netnoteinc\.com|slashnull\.org|jmason\.org"
    rb"|taint\.org|webnote\.net|example\.com|sourceforge\.net|tuatha\.org|linux\.ie)"
    rb"|\b(?:zzzz|yyyy|jm)(?:[-+][\w.-]{1,64})?@[\w.-]{1,128}",
    re.IGNORECASE,
)
_MASK: Final = b"someone@mail.example"
_FIELD: Final = re.compile(rb"^([!-9;-~]+)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.MULTILINE)
_FROM_LINE: Final = re.compile(rb"\A(?:>?From [^\n]*\n)+")


@dataclass(frozen=True, slots=True)
class Mail:
    """`name` is folder and file; `date` seconds since 1970; `data` the mail as filters see it, with
    bare LF.
    """

    name: str
    spam: bool
    date: float
    data: bytes


@dataclass(frozen=True, slots=True)
class _Raw:
    """As it lies in the package."""

    name: str
    spam: bool
    date: float
    data: bytes

    @property
    def place(self) -> tuple[float, str]:
        """Where it stands in the order."""
        return self.date, self.name

    def mail(self) -> Mail:
        return Mail(self.name, self.spam, self.date, stripped(self.data))


def older(root: Path = ROOT) -> list[Mail]:
    """The mails to train and to choose on, by date."""
    return [raw.mail() for raw in _parts(root)[0]]


def newer(root: Path = ROOT) -> list[Mail]:
    """The mails to judge, by date; nothing but the release figure opens them."""
    before, after = _parts(root)
    known = {_body(raw.data) for raw in before}
    return [raw.mail() for raw in after if _body(raw.data) not in known]


def _parts(root: Path) -> tuple[list[_Raw], list[_Raw]]:
    parts: tuple[list[_Raw], list[_Raw]] = ([], [])
    every = sorted(_every(root), key=lambda raw: raw.place)
    for spam in (False, True):
        mails = [raw for raw in every if raw.spam is spam]
        cut = int(len(mails) * OLDER)
        parts[0].extend(mails[:cut])
        parts[1].extend(mails[cut:])
    for part in parts:
        part.sort(key=lambda raw: raw.place)
    return parts


def _every(root: Path) -> list[_Raw]:
    found = []
    for group, spam in _GROUPS.items():
        for path in sorted((root / group).glob("*.txt")):
            data = path.read_bytes().replace(b"\r\n", b"\n")
            found.append(_Raw(f"{group}/{path.stem}", spam, _date(data), data))
    if not found:
        raise FileNotFoundError(f"no corpus in {root}: scripts/bench spam fetches it")
    return found


def _date(data: bytes) -> float:
    """The date of the topmost Received field, of Date without one."""
    block = _unfolded(data)
    for name in (rb"^received:[^\n]*;([^\n]*)", rb"^date:([^\n]*)"):
        found = re.search(name, block, re.MULTILINE | re.IGNORECASE)
        parsed = parsedate_tz(found[1].decode("latin-1").strip()) if found else None
        if parsed:
            return mktime_tz(parsed)
    return 0.0


def _unfolded(data: bytes) -> bytes:
    return re.sub(rb"\n[ \t]+", b" ", data.partition(b"\n\n")[0])


def _body(data: bytes) -> bytes:
    return b" ".join(data.partition(b"\n\n")[2].split())


def stripped(data: bytes) -> bytes:
    """The mail without what gives its label away."""
    header, blank, body = data.partition(b"\n\n")
    header = _FROM_LINE.sub(b"", header + b"\n")
    kept = [_MASKED.sub(_MASK, field) for field in map(_field, _FIELD.finditer(header)) if field]
    return b"".join(kept) + blank[1:] + _MASKED.sub(_MASK, body)


def _field(found: re.Match[bytes]) -> bytes:
    """The field as it stays, b"" for one that goes."""
    name = found[1].lower()
    if _TELLING.fullmatch(name):
        return b""
    if name != b"received":
        return found[0]
    return b"" if _local(found[0]) else _GATHERED.sub(b"mx.mail.example", found[0])


def _local(received: bytes) -> bool:
    """A hand-over within the collectors' own hosts: nothing of the sender stands in it."""
    found = re.search(rb"\bfrom\s+(\S+)", received, re.IGNORECASE)
    return found is None or b"127.0.0.1" in received or bool(_GATHERED.match(found[1]))
