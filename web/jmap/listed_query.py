"""/query of types of which an account has so few objects that all of them are looked at: address
books, identities, quotas, scripts, submissions.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

from message.casemap import casemap
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
    """By property what is compared of an object; `sorts` has the same names. Texts compare by
    i;unicode-casemap.
    """

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
        found = [
            one
            for one in await self.objects(account)
            if meets(query.filter, lambda tests, one=one: all(test(one) for test in tests))  # type: ignore[misc]
        ]
        found.sort(key=lambda one: str(one["id"]))
        for comparator in reversed(query.sort):
            key = self.sort_keys[comparator.property]
            found.sort(key=lambda one: _ordered(key(one)), reverse=not comparator.ascending)
        return [str(one["id"]) for one in found]


def _ordered(value: Any) -> tuple[bool, Any]:
    """Absent ones first; all others of a property have one type."""
    if value is None:
        return False, 0
    return True, casemap(value) if isinstance(value, str) else value


def holds(property_: str) -> Callable[[Any], Test | None]:
    """A condition on a String: a substring, in i;unicode-casemap."""

    def made(value: Any) -> Test | None:
        if not isinstance(value, str):
            return None
        wanted = casemap(value)
        return lambda one: wanted in casemap(one.get(property_) or "")

    return made


def equals(property_: str, kind: type) -> Callable[[Any], Test | None]:
    """A condition on a value of a type, null included where the property is absent or null."""

    def made(value: Any) -> Test | None:
        if value is not None and type(value) is not kind:
            return None
        return lambda one: one.get(property_) == value

    return made
