"""What a FETCH command needs, worked out once.

A response is `* n FETCH (` with UID, FLAGS and MODSEQ from the view's arrays, then what comes from
the message's row as ready bytes, then sections of the message (RFC 9051 §7.5.2).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from imap.grammar.dates import format_seconds
from imap.grammar.encode import fetch_label
from imap.grammar.fetch_item import FetchAtom, FetchBody, FetchItem, Section, SectionKind
from imap.grammar.values import Partial
from message.meta import meta_bodystructure, meta_envelope, unpack_meta
from storage.values import MessageRow

# One message in the view: sequence number, UID, flag field, modseq. A bare tuple, since FETCH of
# UID and FLAGS makes nothing else.
Entry: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class BodyItem:
    """A section to send: `label` is what the response calls it, brackets included."""

    label: bytes
    section: Section
    partial: Partial | None = None
    headers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`seen`: the command marks messages as seen. `values` make ready pieces from a row."""

    uid: bool
    flags: bool
    modseq: bool
    seen: bool
    values: tuple[Callable[[MessageRow], bytes], ...]
    bodies: tuple[BodyItem, ...]

    @property
    def needs_rows(self) -> bool:
        return bool(self.values or self.bodies)


def _date(row: MessageRow) -> bytes:
    return b"INTERNALDATE " + format_seconds(int(row.internaldate))


def _size(row: MessageRow) -> bytes:
    return b"RFC822.SIZE %d" % row.size


def _envelope(row: MessageRow) -> bytes:
    return b"ENVELOPE " + meta_envelope(row.meta)


def _bodystructure(row: MessageRow) -> bytes:
    return b"BODYSTRUCTURE " + meta_bodystructure(row.meta)


def _body(row: MessageRow) -> bytes:
    return b"BODY " + unpack_meta(row.meta).body


_VALUES: Final = {
    FetchAtom.INTERNALDATE: _date,
    FetchAtom.RFC822_SIZE: _size,
    FetchAtom.ENVELOPE: _envelope,
    FetchAtom.BODYSTRUCTURE: _bodystructure,
    FetchAtom.BODY: _body,
}
_HEADER, _TEXT = Section(kind=SectionKind.HEADER), Section(kind=SectionKind.TEXT)
_OLD: Final = {
    FetchAtom.RFC822: BodyItem(b"RFC822", Section()),
    FetchAtom.RFC822_PEEK: BodyItem(b"RFC822", Section()),
    FetchAtom.RFC822_HEADER: BodyItem(b"RFC822.HEADER", _HEADER),
    FetchAtom.RFC822_TEXT: BodyItem(b"RFC822.TEXT", _TEXT),
    FetchAtom.RFC822_TEXT_PEEK: BodyItem(b"RFC822.TEXT", _TEXT),
}
_MARKS_SEEN: Final = frozenset({FetchAtom.RFC822, FetchAtom.RFC822_TEXT})


def plan_of(items: Iterable[FetchItem], uid: bool, modseq: bool, condstore: bool) -> Plan:
    """The plan for these items; `uid` and `modseq` add what the command implies.

    With `condstore`, flags never go without their MODSEQ (RFC 7162 §3.1).
    """
    wanted = list(dict.fromkeys(items))
    bodies = []
    for item in wanted:
        if isinstance(item, FetchBody):
            bodies.append(_body_item(item))
        elif item in _OLD:
            bodies.append(_OLD[item])
    seen = any(
        not item.peek if isinstance(item, FetchBody) else item in _MARKS_SEEN for item in wanted
    )
    flags = FetchAtom.FLAGS in wanted
    return Plan(
        uid=uid or FetchAtom.UID in wanted,
        flags=flags,
        modseq=modseq or FetchAtom.MODSEQ in wanted or (condstore and (flags or seen)),
        seen=seen,
        values=tuple(
            _VALUES[item] for item in wanted if isinstance(item, FetchAtom) and item in _VALUES
        ),
        bodies=tuple(bodies),
    )


def _body_item(item: FetchBody) -> BodyItem:
    headers = tuple(name.encode() for name in item.section.headers)
    return BodyItem(fetch_label(item), item.section, item.partial, headers)


def heads(
    plan: Plan, entries: Sequence[Entry], text: Callable[[int], bytes], *, flags: bool = False
) -> list[bytes]:
    """The start of each response, ready for more items; `flags` adds FLAGS that were not asked for.

    Where the plan needs rows, each ends so that the next item can follow at once.
    """
    with_flags = plan.flags or flags
    parts = [b"* %d FETCH ("]
    parts += [b"UID %d"] if plan.uid else []
    parts += [b"FLAGS (%b)"] if with_flags else []
    parts += [b"MODSEQ (%d)"] if plan.modseq else []
    form = parts[0] + b" ".join(parts[1:])
    if plan.needs_rows and len(parts) > 1:
        form += b" "
    if not with_flags:
        texts: dict[int, bytes] = {}
    else:
        texts = {field: text(field) for field in {entry[2] for entry in entries}}
    if with_flags and plan.uid and not plan.modseq:
        return [form % (n, uid, texts[field]) for n, uid, field, _ in entries]
    if with_flags and plan.uid:
        return [form % (n, uid, texts[field], modseq) for n, uid, field, modseq in entries]
    if with_flags and plan.modseq:
        return [form % (n, texts[field], modseq) for n, _, field, modseq in entries]
    if with_flags:
        return [form % (n, texts[field]) for n, _, field, _ in entries]
    if plan.uid and plan.modseq:
        return [form % (n, uid, modseq) for n, uid, _, modseq in entries]
    if plan.uid:
        return [form % (n, uid) for n, uid, _, _ in entries]
    if plan.modseq:
        return [form % (n, modseq) for n, _, _, modseq in entries]
    return [form % n for n, *_ in entries]
