"""date and currentdate (RFC 5260 §4)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from filters.sieve.errors import Mistake
from filters.sieve.matching import Matcher, matcher_of
from filters.sieve.message_tests import Where, where_of
from filters.sieve.signature import INDEX, MATCH, Given, Option, TestDefinition, Type
from filters.sieve.state import Run, Truth
from filters.sieve.strings import Text
from filters.sieve.values import Values
from message.date import HeaderDate, format_date, parse_date
from message.headers import unfold

_ZONE: Final = re.compile(r"([+-])([01][0-9]|2[0-3])([0-5][0-9])", re.ASCII)
_MODIFIED_JULIAN: Final = date(1858, 11, 17).toordinal()


def _zone_text(when: datetime) -> str:
    return when.strftime("%z")[:5]


PARTS: Final[dict[str, Callable[[datetime], str]]] = {
    "year": lambda when: f"{when.year:04d}",
    "month": lambda when: f"{when.month:02d}",
    "day": lambda when: f"{when.day:02d}",
    "date": lambda when: when.date().isoformat(),
    "julian": lambda when: str(when.toordinal() - _MODIFIED_JULIAN),
    "hour": lambda when: f"{when.hour:02d}",
    "minute": lambda when: f"{when.minute:02d}",
    "second": lambda when: f"{when.second:02d}",
    "time": lambda when: when.strftime("%H:%M:%S"),
    "iso8601": lambda when: when.replace(microsecond=0).isoformat(),
    "std11": format_date,
    "zone": _zone_text,
    "weekday": lambda when: str(when.isoweekday() % 7),
}


def minutes_of(zone: str) -> int | None:
    """Minutes east of `+0200`; None for what is no zone."""
    found = _ZONE.fullmatch(zone)
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


def moment(timestamp: float, minutes: int) -> datetime | None:
    """The time in a zone; None for one that no calendar has."""
    try:
        when = datetime.fromtimestamp(int(timestamp), UTC)
        return when.astimezone(timezone(timedelta(minutes=minutes)))
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class DateTest:
    """`where` None is the present; `zone` None the local one, `original` that of the field."""

    where: Where | None
    part: Text
    zone: Text | None
    original: bool
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        shown = PARTS.get(self.part.of(run).lower())
        texts: list[str] = []
        for found in self._dates(run):
            when = moment(found.timestamp, found.zone if self.original else self._zone(run))
            if when is not None and shown is not None:
                texts.append(shown(when))
        return self.matcher.any(run, Values(texts))

    def _dates(self, run: Run) -> list[HeaderDate]:
        if self.where is None:
            return [HeaderDate(int(run.environment.now), run.environment.zone)]
        read = [_read(one.value) for one in self.where.fields(run)[:1]]
        return [one for one in read if one is not None]

    def _zone(self, run: Run) -> int:
        minutes = None if self.zone is None else minutes_of(self.zone.of(run))
        return run.environment.zone if minutes is None else minutes


def _read(value: bytes) -> HeaderDate | None:
    """A date stands behind the last semicolon, as in Received (RFC 5260 §4)."""
    value = unfold(value)
    return parse_date(value[value.rfind(b";") + 1 :])


def _date(given: Given) -> Truth:
    now = given.node.name == "currentdate"
    at = 0 if now else 1
    part = given.compiler.string(given, at)
    if part.constant is not None and part.constant.lower() not in PARTS:
        raise Mistake(f'a date has no part "{part.constant[:60]}"', given.offset(at))
    zone = given.compiler.string(given, ":zone") if given.has(":zone") else None
    if zone is not None and zone.constant is not None and minutes_of(zone.constant) is None:
        raise Mistake('a zone is written as "+0200"', given.offset(":zone"))
    where = None if now else where_of(given, 0)
    return DateTest(where, part, zone, given.has(":originalzone"), matcher_of(given, at + 1))


_ZONES: Final = (Option(":zone", Type.STRING, group="zone"), Option(":originalzone", group="zone"))
COMMANDS: Final = ()
TESTS: Final = (
    TestDefinition(
        "date", _date, "date", MATCH + INDEX + _ZONES, (Type.STRING, Type.STRING, Type.STRINGS)
    ),
    TestDefinition("currentdate", _date, "date", MATCH + _ZONES[:1], (Type.STRING, Type.STRINGS)),
)
