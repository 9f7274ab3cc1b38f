"""What FETCH may ask for, as values (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 3516, 8474, 8514, 8970).

Macros (ALL, FAST, FULL) never stand here: the parser writes them out. An item is a FetchAtom, which
has no argument, or names a section of the message, as it is (FetchBody) or decoded (FetchBinary,
FetchBinarySize), or its preview.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from imap.grammar.values import Partial


class FetchAtom(Enum):
    """Items without argument; the value is the word on the wire.

    The three RFC822 items answer under their own names. The PEEK forms are those of IMAP2bis: they
    answer as RFC822 and RFC822.TEXT and leave \\Seen alone.
    """

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    RFC822_SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"
    MODSEQ = "MODSEQ"
    SAVEDATE = "SAVEDATE"
    EMAILID = "EMAILID"
    THREADID = "THREADID"
    X_GM_MSGID = "X-GM-MSGID"
    X_GM_THRID = "X-GM-THRID"
    X_GM_LABELS = "X-GM-LABELS"
    RFC822 = "RFC822"
    RFC822_HEADER = "RFC822.HEADER"
    RFC822_TEXT = "RFC822.TEXT"
    RFC822_PEEK = "RFC822.PEEK"
    RFC822_TEXT_PEEK = "RFC822.TEXT.PEEK"


class SectionKind(Enum):
    """What of a part is meant; the value is the word on the wire."""

    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a message: part numbers from 1, then what of that part.

    `kind` None is the content of the part, or with no part numbers the whole message. `headers`
    is filled for the two HEADER.FIELDS kinds only, in the case and order in which they came.
    """

    parts: tuple[int, ...] = ()
    kind: SectionKind | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchBody:
    """`BODY[section]<partial>`; `peek` leaves \\Seen alone."""

    section: Section
    peek: bool = False
    partial: Partial | None = None


@dataclass(frozen=True, slots=True)
class FetchBinary:
    """`BINARY[part]<partial>`: a part without its transfer encoding; `peek` as in FetchBody."""

    parts: tuple[int, ...] = ()
    peek: bool = False
    partial: Partial | None = None


@dataclass(frozen=True, slots=True)
class FetchBinarySize:
    """`BINARY.SIZE[part]`: how many octets BINARY of that part has."""

    parts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchPreview:
    """`PREVIEW`; with `lazy` it need not be made for this command (RFC 8970 §3.1)."""

    lazy: bool = False


FetchItem: TypeAlias = FetchAtom | FetchBody | FetchBinary | FetchBinarySize | FetchPreview
