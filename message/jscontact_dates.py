"""Dates of JSContact (RFC 9553 §2.8.1) and of vCard (RFC 6350 §4.3, RFC 2426 §4). Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from message.vcard import V4

_DATE: Final = re.compile(
    r"(?:(?P<year>\d{4})|--)?"
    r"(?:(?<=--)(?P<m1>\d\d)(?:-?(?P<d1>\d\d))?"
    r"|(?<=--)-(?P<d2>\d\d)"
    r"|(?<=\d{4})-?(?P<m3>\d\d)(?:-?(?P<d3>\d\d))?)?"
)
_TIME: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d))?(?:[.,]\d+)?(Z|z|[+-]\d\d(?::?\d\d)?)?"
)


def utc(text: str) -> str:
    """A vCard's timestamp as UTCDateTime; "" when it is none."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return ""
    zone = (match[7] or "Z").upper().replace("Z", "+0000").replace(":", "").ljust(5, "0")
    digits = "".join(match[number] or "00" for number in range(1, 7))
    try:
        found = datetime.strptime(digits + zone, "%Y%m%d%H%M%S%z").astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return found.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def stamp(text: str, version: str) -> str:
    """A UTCDateTime as a vCard writes it: basic in 4.0, extended in 3.0."""
    found = utc(text)
    return found.replace("-", "").replace(":", "") if version == V4 else found


def date_of(text: str) -> dict[str, Any] | None:
    """A PartialDate or Timestamp; None for what is neither."""
    if found := utc(text):
        return {"@type": "Timestamp", "utc": found}
    match = _DATE.fullmatch(text.strip().partition("T")[0])
    if match is None or not match[0]:
        return None
    parts = {
        "year": match["year"],
        "month": match["m1"] or match["m3"],
        "day": match["d1"] or match["d2"] or match["d3"],
    }
    made: dict[str, Any] = {"@type": "PartialDate"}
    made |= {name: int(value) for name, value in parts.items() if value}
    return made if len(made) > 1 and _is_date(made) else None


def _is_date(date: Mapping[str, Any]) -> bool:
    return 1 <= int(date.get("month", 1)) <= 12 and 1 <= int(date.get("day", 1)) <= 31


def date_text(date: object, version: str) -> str:
    """The same the other way; "" for what is no date. 3.0 has whole dates only, without a year
    they are in 1604 there, as Apple's programs have it.
    """
    if not isinstance(date, dict):
        return ""
    if isinstance(date.get("utc"), str):
        return stamp(date["utc"], version)
    year, month, day = (_number(date.get(name)) for name in ("year", "month", "day"))
    if version == V4:
        return _basic(year, month, day)
    if month is None or day is None:
        return ""
    return f"{1604 if year is None else year:04}-{month:02}-{day:02}"


def _basic(year: int | None, month: int | None, day: int | None) -> str:
    if year is not None:
        if month is None:
            return f"{year:04}"
        return f"{year:04}-{month:02}" if day is None else f"{year:04}{month:02}{day:02}"
    if month is not None:
        return f"--{month:02}" + ("" if day is None else f"{day:02}")
    return "" if day is None else f"---{day:02}"


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= 9999 else None
