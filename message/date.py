"""Dates of header fields (RFC 5322 §3.3 and §4.3)."""

from datetime import datetime
from typing import NamedTuple


class HeaderDate(NamedTuple):
    timestamp: int     # Unix seconds, UTC
    zone: int          # minutes east of UTC


def parse_date(value: bytes) -> HeaderDate | None: ...
def format_date(when: datetime) -> str:
    """"Mon, 02 Jan 2006 15:04:05 +0000"; an aware datetime."""
