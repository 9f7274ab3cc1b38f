"""A text as the short messages of a phone network: alphabets and parts. Pure.

The GSM 7-bit default alphabet is that of 3GPP TS 23.038 §6.2.1, an octet for each septet as SMPP
carries it; parts are put together again by the header of 3GPP TS 23.040 §9.2.3.24.1.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

Alphabet = Literal["gsm", "latin1", "ucs2"]
MAX_PARTS: Final = 8
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_ESCAPE: Final = 0x1B
_GSM: Final = {sign: bytes([at]) for at, sign in enumerate(_BASIC) if at != _ESCAPE} | {
    sign: bytes([_ESCAPE, code]) for sign, code in _EXTENDED.items()
}
_CODING: Final[dict[Alphabet, int]] = {"gsm": 0x00, "latin1": 0x03, "ucs2": 0x08}
_WHOLE: Final[dict[Alphabet, int]] = {"gsm": 160, "latin1": 140, "ucs2": 140}
_PART: Final[dict[Alphabet, int]] = {"gsm": 153, "latin1": 134, "ucs2": 134}


@dataclass(frozen=True, slots=True)
class Part:
    """One short message: `coding` is SMPP's data_coding; `headed`: a user data header stands at the
    beginning of `octets`.
    """

    coding: int
    octets: bytes = field(repr=False)
    headed: bool = False


def parts_of(text: str, alphabet: Alphabet, reference: int) -> tuple[Part, ...]:
    """In the alphabet, or in UCS-2 where it lacks a letter; `reference` (0 to 255) is what parts of
    one text share. Raises ValueError for an empty text and one of more than MAX_PARTS parts.
    """
    units = _units(text, alphabet)
    if units is None:
        alphabet, units = "ucs2", _units(text, "ucs2") or []
    if not units:
        raise ValueError("an empty text")
    coding = _CODING[alphabet]
    if sum(map(len, units)) <= _WHOLE[alphabet]:
        return (Part(coding, b"".join(units)),)
    pieces = _filled(units, _PART[alphabet])
    if len(pieces) > MAX_PARTS:
        raise ValueError("the text is too long")
    head = bytes([5, 0, 3, reference, len(pieces)])
    return tuple(
        Part(coding, head + bytes([number]) + piece, headed=True)
        for number, piece in enumerate(pieces, 1)
    )


def _units(text: str, alphabet: Alphabet) -> list[bytes] | None:
    """The octets of each letter; None when the alphabet lacks one."""
    match alphabet:
        case "gsm":
            found = [_GSM.get(sign) for sign in text]
            return None if None in found else [octets for octets in found if octets is not None]
        case "latin1":
            try:
                return [sign.encode("latin-1") for sign in text]
            except UnicodeEncodeError:
                return None
        case "ucs2":
            return [sign.encode("utf-16-be", "replace") for sign in text]


def _filled(units: list[bytes], size: int) -> list[bytes]:
    """Pieces of at most `size` octets, no letter cut."""
    pieces = [b""]
    for unit in units:
        if len(pieces[-1]) + len(unit) > size:
            pieces.append(b"")
        pieces[-1] += unit
    return pieces
