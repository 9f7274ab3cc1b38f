"""DMARC aggregate reports (RFC 9990 §3.1): XML written piece by piece, and read under limits.

What others send is hostile until proved otherwise: document types are refused, and with them every
entity; depth, text and records are bounded. Old and new forms of the format are read alike.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

NAMESPACE = "urn:ietf:params:xml:ns:dmarc-2.0"
MAX_DEPTH = 20
MAX_TEXT = 2_000
MAX_RECORDS = 50_000
MAX_SIGNATURES = 100

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LISTS = frozenset({"reason", "dkim", "spf"})
# What is read; everything else is passed over and takes no memory.
_ELEMENTS = frozenset(
    (
        *("feedback", "report_metadata", "org_name", "email", "extra_contact_info", "report_id"),
        *("date_range", "begin", "end", "policy_published", "domain", "p", "sp", "np"),
        *("adkim", "aspf", "fo", "testing", "row", "source_ip", "count", "policy_evaluated"),
        *("disposition", "dkim", "spf", "reason", "type", "comment", "identifiers"),
        *("header_from", "envelope_from", "envelope_to", "auth_results", "selector"),
        *("result", "human_result", "scope"),
    )
)


class ReportUnreadable(ValueError):
    """Not a report, or one beyond the limits; the text says which in a few words."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Whose report it is and what it covers; times in seconds since 1970, `end` included."""

    organisation: str
    contact: str
    report_id: str
    begin: int
    end: int
    extra_contact: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """The policy found: the domain of the record and its tags as text, "" where absent."""

    domain: str
    p: str
    sp: str = ""
    np: str = ""
    adkim: str = "r"
    aspf: str = "r"
    fo: str = ""
    testing: str = "n"


@dataclass(frozen=True, slots=True)
class SignatureResult:
    domain: str
    selector: str
    result: str
    human: str = ""


@dataclass(frozen=True, slots=True)
class SpfDomain:
    domain: str
    result: str
    scope: str = "mfrom"


@dataclass(frozen=True, slots=True)
class Record:
    """So many messages of one source with the same fate. `dkim` and `spf`: "pass" where aligned.

    `reasons` are (type, comment) why the disposition is not what the policy asks.
    """

    source: str
    count: int
    disposition: str
    dkim: str
    spf: str
    header_from: str
    envelope_from: str = ""
    envelope_to: str = ""
    reasons: tuple[tuple[str, str], ...] = ()
    signatures: tuple[SignatureResult, ...] = ()
    spf_domains: tuple[SpfDomain, ...] = ()

    @property
    def failed(self) -> bool:
        """Neither mechanism gave an aligned pass."""
        return "pass" not in (self.dkim, self.spf)


@dataclass(frozen=True, slots=True)
class AggregateReport:
    """A report as it was read."""

    metadata: Metadata
    published: Published
    records: tuple[Record, ...]


def write_report(
    metadata: Metadata, published: Published, records: Iterable[Record], generator: str
) -> Iterator[bytes]:
    """The document in pieces, a record each."""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback xmlns="{NAMESPACE}">\n'.encode()
    yield _element("version", "1.0")
    yield _nested("report_metadata", _metadata(metadata, generator))
    yield _nested("policy_published", _published(published))
    for record in records:
        yield _nested("record", _record(record))
    yield b"</feedback>\n"


def parse_report(document: bytes) -> AggregateReport:
    """Raises ReportUnreadable."""
    reader = _Reader()
    root = reader.read(document)
    metadata, published = _first(root, "report_metadata"), _first(root, "policy_published")
    dates = _first(metadata, "date_range")
    if not published.get("domain") or not metadata.get("report_id"):
        raise ReportUnreadable("no domain or no id of the report")
    return AggregateReport(
        Metadata(
            _text(metadata, "org_name"),
            _text(metadata, "email"),
            _text(metadata, "report_id"),
            _number(dates, "begin"),
            _number(dates, "end"),
            _text(metadata, "extra_contact_info"),
        ),
        _read_published(published),
        tuple(reader.records),
    )


def _metadata(metadata: Metadata, generator: str) -> list[bytes]:
    dates = [_element("begin", str(metadata.begin)), _element("end", str(metadata.end))]
    return [
        _element("org_name", metadata.organisation),
        _element("email", metadata.contact),
        _optional("extra_contact_info", metadata.extra_contact),
        _element("report_id", metadata.report_id),
        _nested("date_range", dates),
        _optional("generator", generator),
    ]


def _published(published: Published) -> list[bytes]:
    return [
        _element("domain", published.domain),
        _element("discovery_method", "treewalk"),
        _element("p", published.p),
        _optional("sp", published.sp),
        _optional("np", published.np),
        _optional("fo", published.fo),
        _element("adkim", published.adkim),
        _element("aspf", published.aspf),
        _element("testing", published.testing),
    ]


def _record(record: Record) -> list[bytes]:
    reasons = [
        _nested("reason", [_element("type", kind), _optional("comment", comment)])
        for kind, comment in record.reasons
    ]
    evaluated = [
        _element("disposition", record.disposition),
        _element("dkim", record.dkim),
        _element("spf", record.spf),
        *reasons,
    ]
    row = [
        _element("source_ip", record.source),
        _element("count", str(record.count)),
        _nested("policy_evaluated", evaluated),
    ]
    identifiers = [
        _element("header_from", record.header_from),
        _element("envelope_from", record.envelope_from),
        _optional("envelope_to", record.envelope_to),
    ]
    return [
        _nested("row", row),
        _nested("identifiers", identifiers),
        _nested("auth_results", _results(record)),
    ]


def _results(record: Record) -> list[bytes]:
    signatures = [
        _nested(
            "dkim",
            [
                _element("domain", one.domain),
                _element("selector", one.selector),
                _element("result", one.result),
                _optional("human_result", one.human),
            ],
        )
        for one in record.signatures[:MAX_SIGNATURES]
    ]
    domains = [
        _nested(
            "spf",
            [
                _element("domain", one.domain),
                _element("scope", one.scope),
                _element("result", one.result),
            ],
        )
        for one in record.spf_domains
    ]
    return signatures + domains


def _element(name: str, text: str) -> bytes:
    return f"<{name}>{escape(_FORBIDDEN.sub('?', text))}</{name}>\n".encode("utf-8", "replace")


def _optional(name: str, text: str) -> bytes:
    return _element(name, text) if text else b""


def _nested(name: str, inner: Iterable[bytes]) -> bytes:
    return b"<%b>\n%b</%b>\n" % (name.encode(), b"".join(inner), name.encode())


@dataclass(slots=True)
class _Reader:
    """Builds nested dicts: text by element name, lists of what may come more than once.

    A record is read as soon as it is whole, so that a report takes little more than its records.
    """

    stack: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    names: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    length: int = 0
    records: list[Record] = field(default_factory=list)
    seen: int = 0

    def read(self, document: bytes) -> dict[str, Any]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        try:
            parser.Parse(document, True)
        except expat.ExpatError as error:
            raise ReportUnreadable(f"not well-formed XML: {error}") from None
        except (LookupError, ValueError) as error:
            if isinstance(error, ReportUnreadable):
                raise
            raise ReportUnreadable("an encoding that nobody knows") from None
        return _first(self.stack[0], "feedback")

    def _refuse(self, *_: object) -> None:
        raise ReportUnreadable("a document type is not allowed")

    def _start(self, name: str, _: object) -> None:
        if len(self.names) >= MAX_DEPTH:
            raise ReportUnreadable("nested too deeply")
        local = name.rpartition(":")[2].lower()
        self.names.append(local)
        self.stack.append({})
        self.text, self.length = [], 0
        if local == "record":
            self.seen += 1
            if self.seen > MAX_RECORDS:
                raise ReportUnreadable("too many records")

    def _end(self, _: str) -> None:
        made, name = self.stack.pop(), self.names.pop()
        value: Any = made or "".join(self.text).strip()
        self.text, self.length = [], 0
        above = self.stack[-1]
        if name == "record" and len(self.names) == 1:
            if isinstance(value, dict):
                self.records.append(_read_record(value))
        elif name in _LISTS and isinstance(value, dict):
            listed = above.get(name)
            if not isinstance(listed, list):
                above[name] = [value]
            elif len(listed) < MAX_SIGNATURES:
                listed.append(value)
        elif name in _ELEMENTS:
            above.setdefault(name, value)

    def _data(self, data: str) -> None:
        if self.length < MAX_TEXT:
            self.text.append(data[: MAX_TEXT - self.length])
            self.length += len(data)


def _read_published(found: dict[str, Any]) -> Published:
    return Published(
        _text(found, "domain").lower(),
        _text(found, "p"),
        _text(found, "sp"),
        _text(found, "np"),
        _text(found, "adkim") or "r",
        _text(found, "aspf") or "r",
        _text(found, "fo"),
        _text(found, "testing") or "n",
    )


def _read_record(found: dict[str, Any]) -> Record:
    row, identifiers = _first(found, "row"), _first(found, "identifiers")
    evaluated, results = _first(row, "policy_evaluated"), _first(found, "auth_results")
    return Record(
        _text(row, "source_ip"),
        _number(row, "count"),
        _text(evaluated, "disposition").lower() or "none",
        _text(evaluated, "dkim").lower() or "fail",
        _text(evaluated, "spf").lower() or "fail",
        _text(identifiers, "header_from").lower(),
        _text(identifiers, "envelope_from").lower(),
        _text(identifiers, "envelope_to").lower(),
        tuple((_text(one, "type"), _text(one, "comment")) for one in _all(evaluated, "reason")),
        tuple(
            SignatureResult(
                _text(one, "domain").lower(),
                _text(one, "selector"),
                _text(one, "result").lower(),
                _text(one, "human_result"),
            )
            for one in _all(results, "dkim")
        ),
        tuple(
            SpfDomain(
                _text(one, "domain").lower(),
                _text(one, "result").lower(),
                _text(one, "scope").lower() or "mfrom",
            )
            for one in _all(results, "spf")
        ),
    )


def _first(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _all(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = found.get(name)
    return value if isinstance(value, list) else []


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _number(found: dict[str, Any], name: str) -> int:
    text = _text(found, name)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else 0
