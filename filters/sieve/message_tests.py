"""header, address, envelope, exists and size (RFC 5228 §5), with `:index` (RFC 5260 §6) and the
MIME forms of RFC 5703 §4.
"""

import re
from dataclasses import dataclass
from typing import Final

from filters.sieve.address_parts import PARTS, part_of, part_of_address, split_path
from filters.sieve.errors import Mistake, RunError
from filters.sieve.mail import FieldOf, Fields
from filters.sieve.matching import Matcher, matcher_of
from filters.sieve.mime_fields import MimePart, mime_part, mime_values
from filters.sieve.parts import parts_of
from filters.sieve.signature import (
    ADDRESS_PART,
    INDEX,
    MATCH,
    MIME,
    MIME_PART,
    Given,
    Option,
    TestDefinition,
    Type,
)
from filters.sieve.state import Run, Truth
from filters.sieve.strings import Texts
from filters.sieve.values import Values
from message.address_list import mailboxes

FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,200}")
# RFC 5228 §5.1: the fields whose value is addresses.
_ADDRESS_NAMES: Final = (
    "from to cc bcc sender reply-to resent-from resent-to resent-cc resent-bcc"
    " resent-sender resent-reply-to return-path delivered-to x-original-to envelope-to"
    " x-envelope-to x-delivered-to errors-to return-receipt-to disposition-notification-to"
    " mail-reply-to mail-followup-to apparently-to abuse-reports-to x-complaints-to"
    " x-report-abuse-to x-original-from x-forwarded-to x-from x-to x-sender"
    " x-envelope-from"
)
ADDRESS_FIELDS: Final = frozenset(_ADDRESS_NAMES.split())
ENVELOPE: Final = ("from", "to", "auth")


@dataclass(frozen=True, slots=True)
class Where:
    """Whose fields are looked at, and which of several (`index` from 1; 0: all)."""

    names: Texts
    lower: tuple[str, ...] | None
    index: int = 0
    last: bool = False
    mime: bool = False
    children: bool = False

    @property
    def simple(self) -> bool:
        return not (self.index or self.mime)

    def of(self, run: Run) -> tuple[str, ...]:
        if self.lower is not None:
            return self.lower
        return tuple([name.lower() for name in self.names.of(run)])

    def headers(self, run: Run) -> list[Fields]:
        """The headers looked at: of the message, or of the part and those in it."""
        if not self.mime or (run.part is None and not self.children):
            return [run.fields]
        parts = parts_of(run)
        part = run.part or parts.root
        if not self.children:
            return [parts.fields(part)]
        run.spend(len(found := parts.below(part)))
        return [parts.fields(one) for one in found]

    def fields(self, run: Run) -> list[FieldOf]:
        """The fields in order."""
        out: list[FieldOf] = []
        names = self.of(run)
        for header in self.headers(run):
            for name in names:
                found = header.named(name)
                out += self._chosen(found) if self.index else found
        run.spend(1 + sum([1 + len(one.value) // 64 for one in out]))
        return out

    def _chosen(self, found: list[FieldOf]) -> list[FieldOf]:
        at = len(found) - self.index if self.last else self.index - 1
        return [found[at]] if 0 <= at < len(found) else []


@dataclass(frozen=True, slots=True)
class Header:
    """The plain form: all fields of fixed names."""

    names: tuple[str, ...]
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        return self.matcher.any(run, run.fields.values(self.names))


@dataclass(frozen=True, slots=True)
class HeaderWhere:
    """Every other form."""

    where: Where
    matcher: Matcher
    part: MimePart | None

    def holds(self, run: Run) -> bool:
        fields = self.where.fields(run)
        if self.part is None:
            return self.matcher.any(run, Values([one.decoded() for one in fields]))
        names = self.part.params.of(run)
        texts = [text for one in fields for text in mime_values(one, self.part.kind, names)]
        return self.matcher.any(run, Values(texts))


@dataclass(frozen=True, slots=True)
class AddressTest:
    where: Where
    part: str
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        if not self.where.simple:
            return self.matcher.any(run, self._values(run))
        kept = run.fields.kept
        key = (self.part, *self.where.of(run))
        values = kept.get(key)
        if values is None:
            values = kept.put(key, self._values(run))
        return self.matcher.any(run, values)

    def _values(self, run: Run) -> Values:
        separator = run.environment.separator
        if self.where.simple:
            names = [name for name in self.where.of(run) if name in ADDRESS_FIELDS]
            found = [one for name in names for one in run.fields.addresses(name)]
        else:
            fields = [one for one in self.where.fields(run) if one.name in ADDRESS_FIELDS]
            found = [one for each in fields for one in mailboxes(each.value)]
        texts = [part_of_address(one, self.part, separator) for one in found]
        return Values([text for text in texts if text is not None])


@dataclass(frozen=True, slots=True)
class Envelope:
    """The null reverse path is "" in all of its parts (RFC 5228 §5.4)."""

    names: Texts
    part: str
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        if run.environment.stored:
            raise RunError("a message of a mailbox has no envelope")
        names = [name.lower() for name in self.names.of(run)]
        return self.matcher.any(run, Values([t for name in names for t in self._texts(run, name)]))

    def _texts(self, run: Run, name: str) -> list[str]:
        known = run.environment
        path = {"from": known.sender, "to": known.recipient, "auth": known.login}.get(name)
        if path is None or (not path and name != "from"):
            return []
        if not path:
            return [""]
        if name == "auth" and "@" not in path:
            return [path] if self.part in (":all", ":localpart", ":user") else []
        found = part_of(path, *split_path(path), self.part, known.separator)
        return [] if found is None else [found]


@dataclass(frozen=True, slots=True)
class Exists:
    """All of the fields are there; in MIME form, in any of the parts."""

    where: Where

    def holds(self, run: Run) -> bool:
        headers = self.where.headers(run)
        return all(any(header.named(name) for header in headers) for name in self.where.of(run))


@dataclass(frozen=True, slots=True)
class Size:
    over: bool
    limit: int

    def holds(self, run: Run) -> bool:
        size = run.mail.size
        return size > self.limit if self.over else size < self.limit


def where_of(given: Given, position: int) -> Where:
    """The fields that a test is given; raises Mistake for what is no field name."""
    given.only_with(":last", ":index")
    given.only_with(":anychild", ":mime")
    names = given.compiler.texts(given, position)
    if names.constant is not None:
        for name, written in zip(names.constant, given.strings(position), strict=True):
            if not FIELD_NAME.fullmatch(name):
                raise Mistake(f'"{name[:60]}" is no name of a header field', written.offset)
    index = given.number(":index")
    if index == 0:
        raise Mistake(":index counts from 1", given.offset(":index"))
    lower = None if names.constant is None else tuple([name.lower() for name in names.constant])
    if given.has(":mime"):
        given.compiler.reads_body = True
    return Where(
        names, lower, index or 0, given.has(":last"), given.has(":mime"), given.has(":anychild")
    )


def _header(given: Given) -> Truth:
    where, matcher = where_of(given, 0), matcher_of(given, 1)
    part = mime_part(given)
    if where.simple and where.lower is not None and part is None:
        return Header(where.lower, matcher)
    return HeaderWhere(where, matcher, part)


def _address(given: Given) -> Truth:
    where = where_of(given, 0)
    for name, written in zip(where.lower or (), given.strings(0), strict=False):
        if name not in ADDRESS_FIELDS:
            raise Mistake(f'the field "{name}" holds no addresses', written.offset)
    return AddressTest(where, given.chosen(PARTS, ":all"), matcher_of(given, 1))


def _envelope(given: Given) -> Truth:
    names = given.compiler.texts(given, 0)
    for name, written in zip(names.constant or (), given.strings(0), strict=False):
        if name.lower() not in ENVELOPE:
            raise Mistake(f'the envelope has no "{name[:60]}": from, to, auth', written.offset)
    return Envelope(names, given.chosen(PARTS, ":all"), matcher_of(given, 1))


def _size(given: Given) -> Truth:
    if not (given.has(":over") or given.has(":under")):
        raise Mistake('"size" needs :over or :under', given.node.offset)
    return Size(given.has(":over"), given.number(0) or 0)


_LISTS: Final = (Type.STRINGS, Type.STRINGS)
COMMANDS: Final = ()
TESTS: Final = (
    TestDefinition("header", _header, options=MATCH + INDEX + MIME + MIME_PART, positional=_LISTS),
    TestDefinition(
        "address", _address, options=MATCH + ADDRESS_PART + INDEX + MIME, positional=_LISTS
    ),
    TestDefinition(
        "envelope", _envelope, "envelope", options=MATCH + ADDRESS_PART, positional=_LISTS
    ),
    TestDefinition(
        "exists",
        lambda given: Exists(where_of(given, 0)),
        options=MIME,
        positional=(Type.STRINGS,),
    ),
    TestDefinition(
        "size",
        _size,
        options=(Option(":over", group="bound"), Option(":under", group="bound")),
        positional=(Type.NUMBER,),
    ),
)
