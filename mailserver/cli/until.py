"""Options that take a time: --until, when something ends by itself, and --since."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from config.units import parse_duration

LAST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()

Until = Annotated[str | None, typer.Option(help='When it ends: "2h", "7d", or an RFC 3339 time.')]
Since = Annotated[str | None, typer.Option(help='From when on: "2h", "7d", or an RFC 3339 time.')]


def time_of(text: str | None) -> float | None:
    """Seconds since 1970 of a time, or of now and a duration."""
    return _time(text, 1, "--until")


def time_before(text: str | None) -> float | None:
    """Seconds since 1970 of a time, or of a duration before now."""
    return _time(text, -1, "--since")


def _time(text: str | None, direction: int, option: str) -> float | None:
    if text is None:
        return None
    try:
        return _at_latest(time.time() + direction * parse_duration(text), option)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        allowed = 'a duration such as "2h" or a time such as "2026-01-02T03:04:05Z"'
        raise typer.BadParameter(allowed, param_hint=option) from None
    return _at_latest((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp(), option)


def _at_latest(at: float, option: str) -> float:
    if at >= LAST:
        raise typer.BadParameter("a time before the year 9000", param_hint=option)
    return at
