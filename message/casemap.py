"""i;unicode-casemap: the form in which text compares without case (RFC 5051 §2, RFC 5255 §4).

Letters in simple title case, then compatibility decomposition. What the decomposition brings to
light (ligatures, superscripts) is put into title case as well, so that it compares alike.
"""

import re
import unicodedata
from typing import Final


def _title(char: str) -> str:
    """The simple title case of UnicodeData; letters that only have a full mapping keep theirs."""
    made = char.title()
    if len(made) == 1:
        return made
    upper = char.upper()
    return upper if len(upper) == 1 else char


# Where str.upper() is another mapping: few letters, so that the rest goes at its speed. These
# blocks hold all of them.
_BLOCKS: Final = ((0xDF, 0x600), (0x10D0, 0x1100), (0x1E00, 0x2000), (0xFB00, 0xFB20))
_OTHER: Final = {
    char: _title(char)
    for block in _BLOCKS
    for char in map(chr, range(*block))
    if char.upper() != _title(char)
}
_OTHERS: Final = re.compile("([" + "".join(map(re.escape, _OTHER)) + "])")


def casemap(text: str) -> str:
    """The form of a text: equal for texts that are equal without case."""
    if text.isascii():
        return text.upper()
    return _titled(unicodedata.normalize("NFKD", _titled(text)))


def _titled(text: str) -> str:
    if _OTHERS.search(text) is None:
        return text.upper()
    pieces = _OTHERS.split(text)
    return "".join([_OTHER[piece] if at % 2 else piece.upper() for at, piece in enumerate(pieces)])
