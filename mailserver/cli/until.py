"""The option --until: when something that a command does ends by itself."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from config.units import parse_duration

LAST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()

Until = Annotated[str | None, typer.Option(help='When it ends: "2h", "7d", or an RFC 3339 time.')]


def time_of(text: str | None) -> float | None:
    """Seconds since 1970 of a time, or of now and a duration."""
    if text is None:
        return None
    try:
        return _at_latest(time.time() + parse_duration(text))
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        allowed = 'a duration such as "2h" or a time such as "2026-01-02T03:04:05Z"'
        raise typer.BadParameter(allowed, param_hint="--until") from None
    return _at_latest((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp())


def _at_latest(at: float) -> float:
    if at >= LAST:
        raise typer.BadParameter("a time before the year 9000", param_hint="--until")
    return at
