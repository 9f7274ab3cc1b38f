"""Parameters of MAIL that say how a message is to travel, from clients that submit it.

HOLDFOR and HOLDUNTIL (RFC 4865), BY (RFC 2852), MT-PRIORITY (RFC 6710).
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from smtp.grammar.parameters import ParameterError

LOWEST, HIGHEST = -9, 9

_SECONDS = re.compile(r"[1-9][0-9]{0,8}")
_DATE_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
)
_BY = re.compile(r"([+-]?[0-9]{1,9});([NR])(T?)", re.IGNORECASE)
_PRIORITY = re.compile(r"-?[0-9]")


class By(NamedTuple):
    """`seconds` from the MAIL command on, below zero for what is late already; mode R or N."""

    seconds: int
    mode: str
    trace: bool = False


def parse_hold_for(value: str) -> int:
    """Seconds. Raises ParameterError."""
    if not _SECONDS.fullmatch(value):
        raise ParameterError(501, "5.5.4", "HOLDFOR needs seconds, at least 1")
    return int(value)


def parse_hold_until(value: str) -> int:
    """Unix seconds of an RFC 3339 time. Raises ParameterError."""
    found = _DATE_TIME.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        zone = "+00:00" if found[3] in "Zz" else found[3]
        return int(datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}").timestamp())
    except (ValueError, OverflowError):
        text = "HOLDUNTIL needs a time as 2030-01-31T08:00:00Z"
        raise ParameterError(501, "5.5.4", text) from None


def parse_by(value: str) -> By:
    """Raises ParameterError: also for a return of what is late already (RFC 2852 §4)."""
    found = _BY.fullmatch(value)
    if found is None:
        raise ParameterError(501, "5.5.4", "BY must be seconds;N or seconds;R, with T for trace")
    by = By(int(found[1]), found[2].upper(), bool(found[3]))
    if by.mode == "R" and by.seconds <= 0:
        raise ParameterError(501, "5.5.4", "BY with R needs a time to come")
    return by


def parse_priority(value: str) -> int:
    """-9 to 9. Raises ParameterError."""
    if not _PRIORITY.fullmatch(value):
        raise ParameterError(501, "5.5.4", "MT-PRIORITY must be -9 to 9")
    return int(value)


def encode_hold_until(at: int) -> str:
    """The time as parse_hold_until takes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode_by(by: By) -> str:
    return f"{by.seconds};{by.mode}{'T' if by.trace else ''}"
