"""/query of types of which an account has so few objects that all of them are looked at: address
books, identities, quotas, scripts, submissions.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

from message.casemap import casemap
from message.collations import COMPARED, USUAL
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.filters import meets
from web.jmap.standard import Object
from web.jmap.standard_query import Query, Queryable

C = TypeVar("C")
A = TypeVar("A")
Test: TypeAlias = Callable[[Object], bool]
Condition: TypeAlias = Sequence[Test]


class Listed(Queryable[C, A, Condition]):
    """A type says what its objects are, what its conditions ask of one and how they sort; objects
    are as /get gives them. Equal ones go by id.
    """

    conditions: ClassVar[Mapping[str, Callable[[Any], Test | None]]]
    """By member of a FilterCondition: what its value asks of an object; None for a value of the
    wrong type. `holds` and `equals` make the usual ones.
    """

    sort_keys: ClassVar[Mapping[str, Callable[[Object], Any]]]
    """By property what is compared of an object; `sorts` has the same names."""

    @abstractmethod
    async def objects(self, account: A) -> Sequence[Object]:
        """All of an account that the login may see, with id and what is compared."""

    def condition(self, members: Object) -> Condition:
        tests: list[Test] = []
        for name, value in members.items():
            if name not in self.conditions:
                raise MethodError("unsupportedFilter", f"filter: {name[:100]} is not known")
            test = self.conditions[name](value)
            if test is None:
                raise invalid_arguments(f"filter: {name} has a value of the wrong type")
            tests.append(test)
        return tests

    async def query(self, account: A, query: Query[Condition]) -> Sequence[str]:
        found = self.matching(await self.objects(account), query)
        return [str(one["id"]) for one in self.ordered(found, query)]

    def matching(self, objects: Sequence[Object], query: Query[Condition]) -> list[Object]:
        """Those that meet the filter."""

        def met(one: Object) -> bool:
            return meets(query.filter, lambda tests: all(test(one) for test in tests))

        return [one for one in objects if met(one)]

    def ordered(self, objects: Sequence[Object], query: Query[Condition]) -> list[Object]:
        """In the order of the query."""
        found = sorted(objects, key=lambda one: str(one["id"]))
        for comparator in reversed(query.sort):
            key = self.sort_keys[comparator.property]
            compared = COMPARED[comparator.collation or USUAL]
            keys = {one["id"]: _ordered(key(one), compared) for one in found}
            found.sort(key=lambda one: keys[one["id"]], reverse=not comparator.ascending)
        return found


def _ordered(value: Any, compared: Callable[[str], Any]) -> tuple[bool, Any]:
    """Absent ones first; all others of a property have one type."""
    if value is None:
        return False, 0
    return True, compared(value) if isinstance(value, str) else value


def holds(property_: str) -> Callable[[Any], Test | None]:
    """A condition on a String: a substring, in i;unicode-casemap."""

    def made(value: Any) -> Test | None:
        if not isinstance(value, str):
            return None
        wanted = casemap(value)
        return lambda one: wanted in casemap(one.get(property_) or "")

    return made


def equals(property_: str, kind: type, *, nullable: bool = False) -> Callable[[Any], Test | None]:
    """A condition on a value of a type; null, where it may be, is that of an absent property."""

    def made(value: Any) -> Test | None:
        if type(value) is not kind and not (nullable and value is None):
            return None
        return lambda one: one.get(property_) == value

    return made
