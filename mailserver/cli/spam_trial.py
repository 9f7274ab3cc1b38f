"""Options of `mailserver spam eval`: since when, and what is tried instead of the configuration."""

import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from config.symbols import SYMBOLS
from config.units import parse_duration
from mailserver.cli.context import fail

Since = Annotated[
    str | None, typer.Option(metavar="T", help="Mail since then: 30d, or a date as 2026-11-01.")
]


def since_of(text: str | None) -> float:
    """Unix seconds; 0 for all."""
    if text is None:
        return 0.0
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither 30d nor a date") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def weights_of(path: Path | None) -> tuple[dict[str, float], float | None]:
    """`[spam.weights]` and `tag_at` of a file as the configuration has them."""
    if path is None:
        return {}, None
    try:
        section = tomllib.loads(path.read_text()).get("spam", {})
        weights = {str(name): float(value) for name, value in section.get("weights", {}).items()}
        tag_at = section.get("tag_at")
        found = None if tag_at is None else float(tag_at)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except (ValueError, TypeError, AttributeError) as error:
        fail(f"{path}: {error}")
    for name in weights:
        if name not in SYMBOLS:
            fail(f"{path}: {name} is no symbol; docs/spam.md lists them")
    return weights, found
