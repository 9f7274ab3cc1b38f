"""Reports between mail operators as values: what is counted for others, what they sent to us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple


class Kind(Enum):
    """DMARC aggregate reports (RFC 9990) and SMTP TLS reports (RFC 8460)."""

    DMARC = "dmarc"
    TLS = "tls"


class Counted(NamedTuple):
    """One row of a report to come. `day` counts from 1970, `domain` is whom the report is for.

    `head` and `detail` are JSON texts of the report's builder: rows with the same head belong to
    one policy, and the same detail is counted once.
    """

    kind: Kind
    day: int
    domain: str
    head: str
    detail: str


class Pending(NamedTuple):
    """A report that waits to be sent."""

    kind: Kind
    day: int
    domain: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row of a received report: messages (or sessions) of a source, `failed` among `count`."""

    source: str
    count: int
    failed: int
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """A received report. `domain` is the one of ours it is about; times in seconds since 1970.

    `verified` says that the mail or connection that brought it was authentic.
    """

    kind: Kind
    organisation: str
    contact: str
    report_id: str
    domain: str
    begin: float
    end: float
    rows: Sequence[ReportRow]
    verified: bool = False


class Source(NamedTuple):
    """What a source sent in several reports."""

    source: str
    messages: int
    failed: int
    reports: int


@dataclass(frozen=True, slots=True)
class ListedReport:
    """A stored report without its rows."""

    id: int
    kind: Kind
    organisation: str
    contact: str
    report_id: str
    domain: str
    begin: float
    end: float
    received: float
    verified: bool
    messages: int
    failed: int
