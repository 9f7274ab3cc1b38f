"""Dates of IMAP, read and written: date-time of APPEND and INTERNALDATE, date of SEARCH.

Every date-time is aware; zones are whole minutes (RFC 9051 §9, date-time and date).
"""

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from imap.grammar.tokens import Cursor

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_NUMBERS: Final = {name.upper().encode(): number for number, name in enumerate(_MONTHS, 1)}
# The grammar wants two places for the day, the first perhaps a space; imaplib users and scripts
# send one digit.
_DATE: Final = rb" ?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})"
_DATE_TIME: Final = re.compile(
    rb'"' + _DATE + rb' ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2}) ?"'
)
_MINUTE: Final = tuple(b"%02d:%02d:" % divmod(minute, 60) for minute in range(1440))
_SECOND: Final = tuple(b'%02d +0000"' % second for second in range(60))
_DAY: Final = re.compile(rb'(")?' + _DATE + rb'(?(1)"|)')


def parse_date_time(cursor: Cursor) -> datetime:
    """A date-time in quotes; second 60 is taken as 59, which Python's clock does not know."""
    start = cursor.position
    what = 'a date and time such as "17-Jul-1996 02:44:25 -0700"'
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = cursor.match(
        _DATE_TIME, what
    ).groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        return datetime(
            int(year),
            _NUMBERS[month.upper()],
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59) if second == b"60" else int(second),
            tzinfo=timezone(-offset if sign == b"-" else offset),
        )
    except (ValueError, KeyError):
        cursor.position = start
        cursor.fail(what)


def parse_date(cursor: Cursor) -> date:
    """A date, in quotes or without."""
    start = cursor.position
    _, day, month, year = cursor.match(_DAY, "a date such as 1-Feb-1994").groups()
    try:
        return date(int(year), _NUMBERS[month.upper()], int(day))
    except (ValueError, KeyError):
        cursor.position = start
        cursor.fail("a date such as 1-Feb-1994")


def format_date(day: date) -> bytes:
    """A date as SEARCH takes it."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04}".encode()


def format_date_time(moment: datetime) -> bytes:
    """An aware date-time in quotes; seconds of the zone and fractions are dropped."""
    minutes = int((moment.utcoffset() or timedelta()).total_seconds() // 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    month = _MONTHS[moment.month - 1]
    return (
        f'"{moment.day:02}-{month}-{moment.year:04} {moment:%H:%M:%S} '
        f'{sign}{minutes // 60:02}{minutes % 60:02}"'
    ).encode()


def format_seconds(seconds: int) -> bytes:
    """Seconds since 1970 as a date-time of UTC in quotes; the quick form for FETCH."""
    minutes, second = divmod(seconds, 60)
    day, minute = divmod(minutes, 1440)
    return _day(day) + _MINUTE[minute] + _SECOND[second]


@lru_cache(4096)
def _day(number: int) -> bytes:
    """The opening quote and the date, for a day since 1970 within Python's years."""
    day = date(1970, 1, 1) + timedelta(days=number)
    return f'"{day.day:02}-{_MONTHS[day.month - 1]}-{day.year:04} '.encode()
