"""BDAT: the size of a chunk and whether it is the last (RFC 3030 §2)."""

import re
from typing import NamedTuple

_BDAT = re.compile(r"([0-9]{1,19})(?:[ \t]+(LAST))?", re.IGNORECASE)


class Bdat(NamedTuple):
    """`size` octets follow the command line."""

    size: int
    last: bool


def parse_bdat(argument: str) -> Bdat | None:
    """None when the size is not known: the connection can't stay in step then."""
    found = _BDAT.fullmatch(argument)
    return Bdat(int(found[1]), found[2] is not None) if found else None


def encode_bdat(bdat: Bdat) -> str:
    """What follows the verb."""
    return f"{bdat.size} LAST" if bdat.last else str(bdat.size)
