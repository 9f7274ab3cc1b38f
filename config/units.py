"""Sizes and durations as an operator writes them: `50M`, `5d`. K, M, G, T are powers of 1024."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_SIZE = re.compile(r"(\d+)\s*([KMGT]?)B?", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", re.IGNORECASE)
_MOST = (1 << 63) - 1  # what SQL takes
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_size(value: object) -> int:
    """Octets of a size such as `2G`, `500 K` or `1024`. Raises ValueError."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        power: int = " KMGT".index(match[2].upper() or " ")
        octets = int(match[1]) << (10 * power)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        octets = value
    else:
        raise ValueError('a size such as "50M" (K, M, G, T are powers of 1024)')
    if octets > _MOST:
        raise ValueError("a size below 8388608T")
    return octets


def parse_duration(value: object) -> float:
    """Seconds of a duration such as `90s`, `4h` or `5d`; a float is seconds already. Raises
    ValueError.
    """
    if isinstance(value, float) and 0 <= value < float("inf"):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration such as "30s", "15m", "4h" or "5d"')
    return float(match[1]) * _SECONDS[match[2].lower()]


def format_size(octets: int) -> str:
    """The largest exact unit: 2147483648 is `2G`."""
    for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if octets and octets % 1024**power == 0:
            return f"{octets // 1024**power}{unit}"
    return str(octets)


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
