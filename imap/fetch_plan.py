"""What a FETCH command needs, worked out once, and its responses by the column.

A response is `* n FETCH (` with UID, FLAGS and MODSEQ from the view's arrays, then what comes from
the message's row as ready bytes, then sections of the message (RFC 9051 §7.5.2). Lists go through
one `%` for a whole chunk: 10,000 messages are asked for at a time, so nothing is made for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from imap.grammar.dates import format_seconds
from imap.grammar.encode import NIL, fetch_label
from imap.grammar.fetch_item import (
    FetchAtom,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchItem,
    FetchPreview,
    Section,
    SectionKind,
)
from imap.grammar.values import Partial
from imap.mode import PLAIN, Mode
from imap.object_ids import email_id, thread_id
from message.headers import cached
from message.meta import bodystructures, envelopes, header_lists, previews, shown_sizes, unpack_meta
from storage.values import Summary

Column = Sequence[int] | Sequence[bytes]
_FEW: Final = 16


class Messages(NamedTuple):
    """Messages as the view has them: sequence numbers, UIDs, flag fields and modseqs."""

    numbers: Sequence[int]
    uids: Sequence[int]
    fields: Sequence[int]
    modseqs: Sequence[int]

    def part(self, places: slice) -> "Messages":
        """A piece of each column."""
        return Messages(*[column[places] for column in self])

    def among(self, rows: Sequence[tuple[Any, ...]]) -> "Messages":
        """Those that have a row; a row begins with its UID."""
        there = {row[0] for row in rows}
        return self.at([place for place, uid in enumerate(self.uids) if uid in there])

    def at(self, places: Sequence[int]) -> "Messages":
        """Those at these places of the columns."""
        return Messages(*[[column[place] for place in places] for column in self])


class Value(NamedTuple):
    """An item that comes from the row: its form in a response, and what fills it, a row each.
    `ids`: the row has to have what follows `meta`.
    """

    form: bytes
    column: Callable[[Sequence[Summary]], Column]
    ids: bool = False


@dataclass(frozen=True, slots=True)
class BodyItem:
    """A section to send: `label` is what the response calls it, brackets included."""

    label: bytes
    section: Section
    partial: Partial | None = None
    headers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class BinaryItem:
    """A part to send decoded, or with `size_only` how long it is then."""

    label: bytes
    parts: tuple[int, ...]
    partial: Partial | None = None
    size_only: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`seen`: the command marks messages as seen. `values` come from the rows. `form` is a response
    without its end, with a place for each column. `again`: 8-bit messages are rendered for UTF-8.
    `listed` asks for the same without sections, where the rows keep the header fields.
    """

    uid: bool
    flags: bool
    modseq: bool
    seen: bool
    values: tuple[Value, ...]
    bodies: tuple[BodyItem | BinaryItem, ...]
    mode: Mode = PLAIN
    form: bytes = b""
    again: bool = False
    listed: "Plan | None" = None

    def formed(self) -> "Plan":
        """This plan with its form."""
        parts = [b"UID %d"] if self.uid else []
        parts += [b"FLAGS (%b)"] if self.flags else []
        parts += [b"MODSEQ (%d)"] if self.modseq else []
        parts += [value.form for value in self.values]
        space = b" " if parts and self.bodies else b""
        start = b"* %d UIDFETCH (" if self.mode.uidonly else b"* %d FETCH ("
        return replace(self, form=start + b" ".join(parts) + space)

    @property
    def ids(self) -> bool:
        """Whether the rows have to have what follows `meta`."""
        return any(value.ids for value in self.values)

    @property
    def threads(self) -> bool:
        """Whether messages have to have their conversation."""
        return _THREADID in self.values or _X_GM_THRID in self.values

    @property
    def labels(self) -> bool:
        """Whether the rows have to have Gmail's labels behind what they have."""
        return _X_GM_LABELS in self.values

    def with_flags(self) -> "Plan":
        """This plan for messages whose flags the command itself changed."""
        return self if self.flags else replace(self, flags=True).formed()


def _dates(rows: Sequence[Summary]) -> Column:
    return [format_seconds(int(row[1])) for row in rows]


def _sizes(rows: Sequence[Summary]) -> Column:
    return [row[2] for row in rows]


def _shown_sizes(rows: Sequence[Summary]) -> Column:
    return shown_sizes([row[3] for row in rows], [row[2] for row in rows])


def _envelopes(rows: Sequence[Summary]) -> Column:
    return envelopes([row[3] for row in rows])


def _bodystructures(rows: Sequence[Summary]) -> Column:
    return bodystructures([row[3] for row in rows])


def _bodies(rows: Sequence[Summary]) -> Column:
    return [unpack_meta(row[3]).body for row in rows]


def _savedates(rows: Sequence[Summary]) -> Column:
    return [NIL if row[4] is None else format_seconds(int(row[4])) for row in rows]


def _email_ids(rows: Sequence[Summary]) -> Column:
    return [email_id(row[5]) for row in rows]


def _thread_ids(rows: Sequence[Summary]) -> Column:
    return [NIL if row[6] is None else b"(%b)" % thread_id(row[6]) for row in rows]


def _blobs(rows: Sequence[Summary]) -> Column:
    return [row[5] for row in rows]


def _threads(rows: Sequence[Summary]) -> Column:
    return [row[5] if row[6] is None else row[6] for row in rows]


def _labels(rows: Sequence[Summary]) -> Column:
    return [row[-1] for row in rows]


def _previews(rows: Sequence[Summary]) -> Column:
    return previews([row[3] for row in rows])


_X_GM_THRID: Final = Value(b"X-GM-THRID %d", _threads, ids=True)
_X_GM_LABELS: Final = Value(b"X-GM-LABELS (%b)", _labels, ids=True)
_THREADID: Final = Value(b"THREADID %b", _thread_ids, ids=True)
_PREVIEW: Final = Value(b"PREVIEW %b", _previews)
_VALUES: Final[dict[FetchItem, Value]] = {
    FetchPreview(lazy=False): _PREVIEW,
    FetchPreview(lazy=True): _PREVIEW,
    FetchAtom.INTERNALDATE: Value(b"INTERNALDATE %b", _dates),
    FetchAtom.RFC822_SIZE: Value(b"RFC822.SIZE %d", _shown_sizes),
    FetchAtom.ENVELOPE: Value(b"ENVELOPE %b", _envelopes),
    FetchAtom.BODYSTRUCTURE: Value(b"BODYSTRUCTURE %b", _bodystructures),
    FetchAtom.BODY: Value(b"BODY %b", _bodies),
    FetchAtom.SAVEDATE: Value(b"SAVEDATE %b", _savedates, ids=True),
    FetchAtom.EMAILID: Value(b"EMAILID (%b)", _email_ids, ids=True),
    FetchAtom.THREADID: _THREADID,
    FetchAtom.X_GM_MSGID: Value(b"X-GM-MSGID %d", _blobs, ids=True),
    FetchAtom.X_GM_THRID: _X_GM_THRID,
    FetchAtom.X_GM_LABELS: _X_GM_LABELS,
}
_UTF8_VALUES: Final = {**_VALUES, FetchAtom.RFC822_SIZE: Value(b"RFC822.SIZE %d", _sizes)}
_RENDERED: Final = frozenset({FetchAtom.ENVELOPE, FetchAtom.BODYSTRUCTURE, FetchAtom.BODY})
_HEADER, _TEXT = Section(kind=SectionKind.HEADER), Section(kind=SectionKind.TEXT)
_OLD: Final[dict[FetchItem, BodyItem]] = {
    FetchAtom.RFC822: BodyItem(b"RFC822", Section()),
    FetchAtom.RFC822_PEEK: BodyItem(b"RFC822", Section()),
    FetchAtom.RFC822_HEADER: BodyItem(b"RFC822.HEADER", _HEADER),
    FetchAtom.RFC822_TEXT: BodyItem(b"RFC822.TEXT", _TEXT),
    FetchAtom.RFC822_TEXT_PEEK: BodyItem(b"RFC822.TEXT", _TEXT),
}
_MARKS_SEEN: Final = frozenset({FetchAtom.RFC822, FetchAtom.RFC822_TEXT})


def plan_of(items: tuple[FetchItem, ...], uid: bool, modseq: bool, mode: Mode) -> Plan:
    """The plan for these items; `uid` and `modseq` add what the command implies.

    With CONDSTORE, flags never go without their MODSEQ (RFC 7162 §3.1); with UIDONLY the UID leads
    the response, and stands in it for who asks for it only.
    """
    if len(items) > _FEW or any(isinstance(i, FetchBody) and i.section.headers for i in items):
        return _make(items, uid, modseq, mode)
    return _kept(items, uid, modseq, mode)


def _make(items: tuple[FetchItem, ...], uid: bool, modseq: bool, mode: Mode) -> Plan:
    values = _UTF8_VALUES if mode.utf8 else _VALUES
    wanted = list(dict.fromkeys(items))
    bodies = [made for made in map(_section, wanted) if made is not None]
    seen = any(
        not item.peek if isinstance(item, FetchBody | FetchBinary) else item in _MARKS_SEEN
        for item in wanted
    )
    flags = FetchAtom.FLAGS in wanted
    plan = Plan(
        uid=FetchAtom.UID in wanted or ((uid or mode.qresync) and not mode.uidonly),
        flags=flags,
        modseq=modseq or FetchAtom.MODSEQ in wanted or (mode.condstore and (flags or seen)),
        seen=seen,
        values=tuple(values[item] for item in wanted if item in values),
        bodies=tuple(bodies),
        mode=mode,
        again=mode.utf8 and not _RENDERED.isdisjoint(wanted),
    ).formed()
    lists = [made for made in map(_header_list, bodies) if made is not None]
    if seen or not lists or len(lists) < len(bodies):
        return plan
    listed = replace(plan, values=(*plan.values, *lists), bodies=())
    return replace(plan, listed=listed.formed())


# Plans of a few items without names of header fields are small; clients repeat them a lot.
_kept = lru_cache(256)(_make)


def _section(item: FetchItem) -> BodyItem | BinaryItem | None:
    if isinstance(item, FetchBinary):
        return BinaryItem(fetch_label(item), item.parts, item.partial)
    if isinstance(item, FetchBinarySize):
        return BinaryItem(fetch_label(item), item.parts, size_only=True)
    if not isinstance(item, FetchBody):
        return _OLD.get(item)
    headers = tuple(name.encode() for name in item.section.headers)
    return BodyItem(fetch_label(item), item.section, item.partial, headers)


def _header_list(item: BodyItem | BinaryItem) -> Value | None:
    """What answers a section from the row: names of header fields, all of which are kept."""
    if isinstance(item, BinaryItem) or item.partial is not None or item.section.parts:
        return None
    if item.section.kind is not SectionKind.HEADER_FIELDS or not cached(item.headers):
        return None
    names = item.headers

    def column(rows: Sequence[Summary]) -> Column:
        return header_lists([row[3] for row in rows], names)

    return Value(item.label.replace(b"%", b"%%") + b" %b", column)


def starts(
    plan: Plan, messages: Messages, rows: Sequence[Summary], text: Callable[[int], bytes]
) -> list[bytes]:
    """The start of each response, up to its sections."""
    form = plan.form
    texts = _texts(plan, messages, text)
    return [form % args for args in zip(*_columns(plan, messages, rows, texts), strict=True)]


def responses(
    plan: Plan, messages: Messages, rows: Sequence[Summary], text: Callable[[int], bytes]
) -> bytes:
    """The whole responses of a plan without sections. `rows` belong to the messages one by one and
    are empty where the plan needs none; `text` writes a flag field.
    """
    form = plan.form + b")\r\n"
    texts = _texts(plan, messages, text)
    if len(texts) == 1:  # as in most chunks
        written = texts.popitem()[1].replace(b"%", b"%%")
        form = form.replace(b"FLAGS (%b)", b"FLAGS (%b)" % written, 1)
    columns = _columns(plan, messages, rows, texts)
    width, count = len(columns), len(messages.uids)
    flat: list[object] = [None] * (width * count)
    for place, column in enumerate(columns):
        flat[place::width] = column
    return form * count % tuple(flat)


def _texts(plan: Plan, messages: Messages, text: Callable[[int], bytes]) -> dict[int, bytes]:
    """The flag fields of these messages as they are written, where the plan has FLAGS."""
    return {field: text(field) for field in set(messages.fields)} if plan.flags else {}


def _columns(
    plan: Plan, messages: Messages, rows: Sequence[Summary], texts: dict[int, bytes]
) -> list[Column]:
    """What fills the form's places; FLAGS have one if there are `texts`."""
    columns: list[Column] = [messages.uids if plan.mode.uidonly else messages.numbers]
    if plan.uid:
        columns.append(messages.uids)
    if texts:
        columns.append([texts[field] for field in messages.fields])
    if plan.modseq:
        columns.append(messages.modseqs)
    return columns + [value.column(rows) for value in plan.values]
