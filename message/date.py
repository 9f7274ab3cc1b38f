"""Dates of header fields (RFC 5322 §3.3, and what §4.3 and real senders add)."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

_MONTHS = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ZONES = {b"edt": -4, b"est": -5, b"cdt": -5, b"cst": -6, b"mdt": -6, b"mst": -7, b"pdt": -7,
          b"pst": -8}  # fmt: skip
_CLOCK = rb"(\d{1,2})\s*[:.]\s*(\d{2})(?:\s*[:.]\s*(\d{2})(?:\.\d+)?)?"
_DATE = re.compile(
    rb"(\d{1,2})[\s-]+([a-z]{3})[a-z]*\.?,?[\s-]+(\d{2,4})\b(?:[\s,]+"
    + _CLOCK
    + rb"\s*([+-]\d{4}|[a-z]+)?)?",
    re.IGNORECASE,
)
# asctime order: "Mon Jan  2 15:04:05 2006"
_ASCTIME = re.compile(
    rb"([a-z]{3})[a-z]*\s+(\d{1,2}),?\s+" + _CLOCK + rb"\s+(?:[a-z]+\s+)?(\d{4})\s*([+-]\d{4})?",
    re.IGNORECASE,
)
_COMMENT = re.compile(rb"\([^()]*\)")


class HeaderDate(NamedTuple):
    """`timestamp`: Unix seconds, UTC. `zone`: minutes east of UTC, as the sender wrote it."""

    timestamp: int
    zone: int


@lru_cache(maxsize=512)
def parse_date(value: bytes) -> HeaderDate | None:
    """The moment a Date field names; None for what names none."""
    value = value[:256]
    if b"(" in value:
        value = _COMMENT.sub(b" ", value)
    if match := _DATE.search(value):
        day, month, year, hour, minute, second, zone = match.groups()
    elif match := _ASCTIME.search(value):
        month, day, hour, minute, second, year, zone = match.groups()
    else:
        return None
    clock = (int(hour or 0), int(minute or 0), min(int(second or 0), 59))
    if clock > (23, 59, 59) or clock[1] > 59:
        clock = (0, 0, 0)  # a day with an invalid time begins (RFC 5256 §2.2)
    return _moment(day, month, year, clock, _zone(zone or b""))


def format_date(when: datetime) -> str:
    """`Mon, 02 Jan 2006 15:04:05 +0000`, whatever the locale; `when` is aware."""
    return (
        f"{_DAYS[when.weekday()]}, {when.day:02d} {_NAMES[when.month - 1]} {when.year:04d} "
        f"{when.hour:02d}:{when.minute:02d}:{when.second:02d} {_offset(when)}"
    )


def _offset(when: datetime) -> str:
    minutes = int((when.utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{rest:02d}"


def _moment(
    day: bytes, month: bytes, year: bytes, clock: tuple[int, int, int], zone: int
) -> HeaderDate | None:
    number = int(year)
    if len(year) < 4:  # RFC 5322 §4.3
        number += 2000 if number < 50 and len(year) == 2 else 1900
    try:
        moment = datetime(number, _MONTHS.index(month.lower()) + 1, int(day), *clock, tzinfo=UTC)
    except ValueError:
        return None
    return HeaderDate(int(moment.timestamp()) - zone * 60, zone)


def _zone(text: bytes) -> int:
    """Minutes east; unknown and military letters count as UTC (RFC 5322 §4.3)."""
    if text[:1] in (b"+", b"-"):
        minutes = int(text[1:3]) * 60 + int(text[3:5])
        if minutes >= 24 * 60:
            return 0
        return -minutes if text[:1] == b"-" else minutes
    return _ZONES.get(text.lower(), 0) * 60
