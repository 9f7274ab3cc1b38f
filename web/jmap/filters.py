"""Filters of /query: conditions of a type under FilterOperators (RFC 8620 §5.5). Pure.

What a condition is and how it is read its type says; here is what is common to all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar

from web.jmap.errors import MethodError, invalid_arguments

F = TypeVar("F")
G = TypeVar("G")
MAX_CONDITIONS: Final = 500
_WRONG: Final = "filter: a FilterOperator or FilterCondition is needed"


class Operator(Enum):
    """AND: all of the parts; OR: one of them at least; NOT: none of them."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"


@dataclass(frozen=True, slots=True)
class Combined(Generic[F]):
    """A FilterOperator; AND and NOT of nothing are true, OR of nothing is false."""

    operator: Operator
    parts: tuple["Filter[F]", ...]


Filter: TypeAlias = F | Combined[F]


def parse_filter(value: Any, condition: Callable[[dict[str, Any]], F]) -> Filter[F]:
    """The tree; `condition` reads the members of one FilterCondition, and null is one without any.
    Raises MethodError: invalidArguments, unsupportedFilter.
    """
    left = MAX_CONDITIONS

    def parsed(one: Any) -> Filter[F]:
        nonlocal left
        if not isinstance(one, dict):
            raise invalid_arguments(_WRONG)
        left -= 1
        if left < 0:
            raise MethodError("unsupportedFilter", f"more than {MAX_CONDITIONS} conditions")
        if "operator" not in one:
            return condition(one)
        parts = one.get("conditions")
        if set(one) != {"operator", "conditions"} or not isinstance(parts, list):
            raise invalid_arguments(_WRONG)
        try:
            operator = Operator(one["operator"])
        except ValueError:
            raise invalid_arguments("filter: operator is AND, OR or NOT") from None
        return Combined(operator, tuple([parsed(part) for part in parts]))

    return parsed({} if value is None else value)


def meets(found: Filter[F], test: Callable[[F], bool]) -> bool:
    """Whether the tree holds where `test` says so of its conditions."""
    if not isinstance(found, Combined):
        return test(found)
    if found.operator is Operator.AND:
        return all(meets(part, test) for part in found.parts)
    some = any(meets(part, test) for part in found.parts)
    return some if found.operator is Operator.OR else not some
