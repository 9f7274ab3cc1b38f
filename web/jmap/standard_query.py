"""The standard methods /query and /queryChanges over an object type (RFC 8620 §5.5, §5.6).

What is common to all types stands here: arguments, the filter's tree, windows, results kept between
requests and what differs between them; a type says what its conditions are and which ids meet them
in which order. A state is read before the ids, so that it is never newer than what was sent with
it, and names one result: two requests that get the same state get the same ids.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, Final, Generic, TypeVar

import orjson

from web.jmap.arguments import Arguments
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.filters import Filter, parse_filter
from web.jmap.kept_results import LARGEST, Difference, KeptResults, difference
from web.jmap.limits import COLLATIONS, Limits
from web.jmap.methods import Call, Methods, Results
from web.jmap.standard import Object, ObjectType

C = TypeVar("C")
A = TypeVar("A")
F = TypeVar("F")
SECONDS: Final = 60.0
"""A query that takes longer is given up."""

MAX_SORTS: Final = 50


@dataclass(frozen=True, slots=True)
class Comparator:
    """`more` are members of a type's own, such as `keyword`."""

    property: str
    ascending: bool = True
    collation: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query(Generic[F]):
    """What is asked: `extra` are a type's own arguments, `key` is the same for equal queries."""

    filter: Filter[F]
    sort: tuple[Comparator, ...] = ()
    extra: Any = None
    key: bytes = b""


class Queryable(ObjectType[C, A], Generic[C, A, F]):
    """A type with /query and /queryChanges; F is what it makes of a FilterCondition."""

    sorts: ClassVar[frozenset[str]] = frozenset()
    """The properties that it can be sorted by."""

    @abstractmethod
    def condition(self, members: Object) -> F:
        """One FilterCondition; without members it holds always. Raises MethodError:
        invalidArguments for a value of the wrong type, unsupportedFilter for an unknown member.
        """

    @abstractmethod
    async def query(self, account: A, query: Query[F]) -> Sequence[str]:
        """All ids that meet the filter, in order, which is the same each time: what the sort leaves
        open the type decides. Raises MethodError.
        """

    async def query_state(self, account: A) -> str:
        """Differs once any result may differ, for this login."""
        return await self.state(account)

    def comparator(self, property_: str, arguments: Arguments) -> Mapping[str, Any]:
        """Members of a Comparator beyond the standard's. Raises MethodError."""
        return {}

    def query_arguments(self, arguments: Arguments) -> Any:
        """Arguments beyond the standard's; the result must be the same for equal ones, and JSON."""
        return None

    def is_immutable(self, query: Query[F]) -> bool:
        """Whether filter and sort look at nothing that ever changes of an object (§5.6)."""
        return False

    def can_calculate(self, account: A, query: Query[F]) -> bool:
        """Whether /queryChanges may be asked after this query."""
        return True

    async def query_changes(
        self,
        account: A,
        query: Query[F],
        since: str,
        old: Sequence[str] | None,
        new: Sequence[str],
    ) -> Difference:
        """What leads from the result told with the state `since`, None where it is not known any
        more, to `new`. Raises MethodError: cannotCalculateChanges.
        """
        if old is None or len(old) + len(new) > LARGEST:
            raise MethodError("cannotCalculateChanges")
        return difference(old, new)


class StandardQuery(Generic[C]):
    """Adds /query and /queryChanges of types to the methods of a server. `scope` is equal for
    logins that see the same objects; results of `most` octets are kept.
    """

    def __init__(
        self, methods: Methods[C], limits: Limits, scope: Callable[[C], Hashable], most: int
    ) -> None:
        self._methods, self._limits, self._scope = methods, limits, scope
        self._kept = KeptResults(most)

    def add(self, kind: Queryable[C, A, F], *, changes: bool = True) -> None:
        """/query, and /queryChanges where the type has it."""

        async def query(call: Call[C], members: Object) -> Results:
            return [(f"{kind.name}/query", await self._query(kind, call, Arguments(members)))]

        async def changed(call: Call[C], members: Object) -> Results:
            found = await self._changes(kind, call, Arguments(members))
            return [(f"{kind.name}/queryChanges", found)]

        self._methods.add(kind.capability, f"{kind.name}/query", query)
        if changes:
            self._methods.add(kind.capability, f"{kind.name}/queryChanges", changed)

    async def _query(self, kind: Queryable[C, A, F], call: Call[C], arguments: Arguments) -> Object:
        """RFC 8620 §5.5."""
        account_id = arguments.id("accountId")
        query = parsed_query(kind, arguments)
        window = _Window.taken(arguments)
        arguments.end()
        account = kind.account(call, account_id)
        state, ids = await self._found(kind, call, account, account_id, query)
        start = window.start(ids)
        limit = min(window.limit, self._limits.ids_in_query)
        told: Object = {
            "accountId": account_id,
            "queryState": state,
            "canCalculateChanges": kind.can_calculate(account, query),
            "position": start,
            "ids": list(ids[start : start + limit]),
        }
        if window.total:
            told["total"] = len(ids)
        if limit < window.asked:
            told["limit"] = limit
        return told

    async def _changes(
        self, kind: Queryable[C, A, F], call: Call[C], arguments: Arguments
    ) -> Object:
        """RFC 8620 §5.6."""
        account_id = arguments.id("accountId")
        query = parsed_query(kind, arguments)
        since = arguments.needed_text("sinceQueryState")
        most = arguments.unsigned("maxChanges")
        up_to = arguments.text("upToId")
        total = arguments.flag("calculateTotal")
        arguments.end()
        account = kind.account(call, account_id)
        if not kind.can_calculate(account, query):
            raise MethodError("cannotCalculateChanges")
        question = self._question(kind, call, account_id, query)
        old = self._kept.get(question, since)
        state, ids = await self._found(kind, call, account, account_id, query)
        found = Difference((), ())
        if since != state:
            found = await kind.query_changes(account, query, since, old, ids)
            if up_to is not None and kind.is_immutable(query):
                found = _up_to(found, up_to, ids)
        count = len(found.removed) + len(found.added)
        if most is not None and count > most:
            raise MethodError("tooManyChanges")
        if count > self._limits.ids_in_query:
            raise MethodError("cannotCalculateChanges")
        told: Object = {"accountId": account_id, "oldQueryState": since, "newQueryState": state}
        if total:
            told["total"] = len(ids)
        added = [{"id": id_, "index": at} for id_, at in found.added]
        return {**told, "removed": list(found.removed), "added": added}

    def _question(
        self, kind: Queryable[C, A, F], call: Call[C], account_id: str, query: Query[F]
    ) -> Hashable:
        return kind.name, account_id, self._scope(call.context), query.key

    async def _found(
        self,
        kind: Queryable[C, A, F],
        call: Call[C],
        account: A,
        account_id: str,
        query: Query[F],
    ) -> tuple[str, Sequence[str]]:
        """The state, and all ids. Raises MethodError."""
        question = self._question(kind, call, account_id, query)
        state = await kind.query_state(account)
        ids = self._kept.get(question, state)
        if ids is not None:
            return state, ids
        try:
            async with asyncio.timeout(SECONDS), self._kept.turn(question):
                state = await kind.query_state(account)
                ids = self._kept.get(question, state)
                if ids is None:
                    ids = await kind.query(account, query)
                    self._kept.put(question, state, ids)
        except TimeoutError:
            raise MethodError("serverUnavailable", "the query takes too long") from None
        return state, ids


@dataclass(frozen=True, slots=True)
class _Window:
    """Which part of a result is told; `asked` is the limit, or more than there can be."""

    position: int
    anchor: str | None
    offset: int
    asked: int
    limit: int
    total: bool

    @classmethod
    def taken(cls, arguments: Arguments) -> "_Window":
        """Raises MethodError."""
        position = arguments.number("position")
        anchor = arguments.text("anchor")
        offset = arguments.number("anchorOffset")
        limit = arguments.unsigned("limit")
        total = arguments.flag("calculateTotal")
        asked = 1 << 60 if limit is None else limit
        return cls(position, anchor, offset, asked, asked, total)

    def start(self, ids: Sequence[str]) -> int:
        """The place of the first id. Raises MethodError."""
        if self.anchor is None:
            found = self.position if self.position >= 0 else len(ids) + self.position
            return max(found, 0)
        try:
            return max(ids.index(self.anchor) + self.offset, 0)
        except ValueError:
            raise MethodError("anchorNotFound") from None


def parsed_query(kind: Queryable[C, A, F], arguments: Arguments) -> Query[F]:
    """The filter, the sort and the type's own arguments. Raises MethodError."""
    filter_, sort = arguments.object("filter"), arguments.array("sort") or []
    if len(sort) > MAX_SORTS:
        raise MethodError("unsupportedSort", f"more than {MAX_SORTS} properties")
    comparators = tuple([_comparator(kind, one) for one in sort])
    parsed = parse_filter(filter_, kind.condition)
    extra = kind.query_arguments(arguments)
    text = orjson.dumps([filter_, sort, extra], option=orjson.OPT_SORT_KEYS)
    return Query(parsed, comparators, extra, sha256(text).digest())


def _comparator(kind: Queryable[C, A, F], value: Any) -> Comparator:
    if not isinstance(value, dict):
        raise invalid_arguments("sort: an array of Comparators is needed")
    members = Arguments(value)
    property_ = members.needed_text("property")
    if property_ not in kind.sorts:
        raise MethodError("unsupportedSort", f"property: {property_[:100]} is not sorted by")
    ascending, collation = members.flag("isAscending", True), members.text("collation")
    if collation is not None and collation not in COLLATIONS:
        raise MethodError("unsupportedSort", f"collation: {collation[:100]} is not known")
    more = kind.comparator(property_, members)
    members.end()
    return Comparator(property_, ascending, collation, more)


def _up_to(found: Difference, up_to: str, new: Sequence[str]) -> Difference:
    """Without what comes in behind an id, where that is in the result."""
    try:
        last = new.index(up_to)
    except ValueError:
        return found
    return Difference(found.removed, [(id_, at) for id_, at in found.added if at <= last])
