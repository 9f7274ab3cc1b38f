"""FilterConditions and Comparators of Email/query as the store's conditions (RFC 8621 §4.4)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from message.collations import USUAL
from message.search_terms import search_terms
from storage.mail_query.conditions import (
    AllOf,
    Among,
    AnyOf,
    Attached,
    Condition,
    Contains,
    Elsewhere,
    Flagged,
    HeaderContains,
    InMailbox,
    Key,
    MailQuery,
    Not,
    Order,
    Received,
    Size,
    ThreadFlagged,
    Where,
)
from storage.object_ids import mailbox_of
from storage.values import AccountId, Flags, MailboxId
from web.jmap.arguments import Arguments, is_id, is_int, utc_date
from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.filters import Combined, Filter, Operator
from web.jmap.mail.email import KEYWORDS
from web.jmap.standard import Object
from web.jmap.standard_query import Comparator, Query

Made: TypeAlias = Callable[[AccountId], Condition]
"""A condition, once the account is known whose mailboxes it names."""

_SYSTEM: Final = {name: flag for flag, name in KEYWORDS.items()}
_KEYWORD: Final = re.compile(r"[!#$&'+-Z\[^-z|}~]{1,255}")
_NAME: Final = re.compile(r"[!-9;-~]{1,200}")
_OF_KEYWORD: Final = frozenset((Key.FLAG, Key.ALL_IN_THREAD, Key.SOME_IN_THREAD))
MAX_TEXT: Final = 10_000
"""Characters of a text in a condition."""

MAX_TERMS: Final = 100
SORTS: Final = tuple(key.value for key in Key)


def email_condition(members: Object) -> Made:
    """Of one FilterCondition. Raises MethodError."""
    made: list[Made] = []
    for name, value in members.items():
        if name not in _CONDITIONS:
            raise MethodError("unsupportedFilter", f"filter: {name[:100]} is not known")
        condition = _CONDITIONS[name](value)
        if condition is None:
            raise invalid_arguments(f"filter: {name} has a value of the wrong type")
        made.append(condition)
    return lambda account: _joined([one(account) for one in made])


def email_query(account: AccountId, query: Query[Made]) -> MailQuery:
    """What the store is asked."""
    order = tuple(_order(one) for one in query.sort)
    return MailQuery(_condition(account, query.filter), order, bool(query.extra))


def comparator_members(property_: str, arguments: Arguments) -> Mapping[str, Any]:
    """`keyword` of those that ask for one. Raises MethodError."""
    if Key(property_) not in _OF_KEYWORD:
        return {}
    keyword = arguments.needed_text("keyword")
    if flags_of(keyword) is None:
        raise invalid_arguments("sort: keyword is no keyword")
    return {"keyword": keyword}


def flags_of(keyword: Any) -> Flags | None:
    """The flags that a keyword of JMAP stands for; None for what is none (§4.1.1)."""
    if not isinstance(keyword, str) or not _KEYWORD.fullmatch(keyword):
        return None
    keyword = keyword.lower()
    if keyword in _SYSTEM:
        return Flags(_SYSTEM[keyword])
    return Flags(keywords=frozenset((keyword,)))


def _condition(account: AccountId, found: Filter[Made]) -> Condition:
    if not isinstance(found, Combined):
        return found(account)
    parts = tuple([_condition(account, part) for part in found.parts])
    if found.operator is Operator.AND:
        return AllOf(parts)
    return AnyOf(parts) if found.operator is Operator.OR else Not(AnyOf(parts))


def _order(comparator: Comparator) -> Order:
    flags = flags_of(comparator.more.get("keyword")) or Flags()
    key, collation = Key(comparator.property), comparator.collation or USUAL
    return Order(key, comparator.ascending, flags, collation)


def _joined(conditions: Sequence[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))


# Each makes a condition of a value, None of one of the wrong type.


def _always(condition: Condition) -> Made:
    return lambda _: condition


def _in_mailbox(value: Any) -> Made | None:
    return (lambda account: InMailbox(_boxes(account, [value]))) if is_id(value) else None


def _elsewhere(value: Any) -> Made | None:
    if not isinstance(value, list) or not all(map(is_id, value)):
        return None
    return lambda account: Elsewhere(_boxes(account, value))


def _boxes(account: AccountId, ids: Sequence[str]) -> frozenset[MailboxId]:
    found = [mailbox_of(one, account) for one in ids]
    return frozenset(box for box in found if box is not None)


def _received(since: bool) -> Callable[[Any], Made | None]:
    def made(value: Any) -> Made | None:
        when = utc_date(value)
        return None if when is None else _always(Received(since, when.timestamp()))

    return made


def _sized(least: bool) -> Callable[[Any], Made | None]:
    def made(value: Any) -> Made | None:
        return _always(Size(least, int(value))) if is_int(value) and value >= 0 else None

    return made


def _keyword(
    condition: Callable[[Flags], Condition], present: bool = True
) -> Callable[[Any], Made | None]:
    def made(value: Any) -> Made | None:
        flags = flags_of(value)
        if flags is None:
            return None
        found = condition(flags)
        return _always(found if present else Not(found))

    return made


def _attached(value: Any) -> Made | None:
    if not isinstance(value, bool):
        return None
    return _always(Attached() if value else Not(Attached()))


def _text(condition: Callable[[str], Condition]) -> Callable[[Any], Made | None]:
    def made(value: Any) -> Made | None:
        if not isinstance(value, str):
            return None
        return _always(_joined([condition(term) for term in _terms(value)]))

    return made


def _terms(text: str) -> list[str]:
    """Raises MethodError for more than are looked for."""
    terms = search_terms(text[:MAX_TEXT])
    if len(text) > MAX_TEXT or len(terms) > MAX_TERMS:
        raise MethodError("unsupportedFilter", f"filter: more than {MAX_TERMS} terms of text")
    return terms


def _field(name: str) -> Callable[[Any], Made | None]:
    return _text(lambda term: HeaderContains(name, term))


def _header(value: Any) -> Made | None:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return None
    if not 1 <= len(value) <= 2 or not _NAME.fullmatch(value[0]):
        return None
    name, terms = value[0], _terms(value[1]) if len(value) == 2 else []
    return _always(_joined([HeaderContains(name, term) for term in terms or [""]]))


_CONDITIONS: Final[Mapping[str, Callable[[Any], Made | None]]] = {
    "inMailbox": _in_mailbox,
    "inMailboxOtherThan": _elsewhere,
    "before": _received(False),
    "after": _received(True),
    "minSize": _sized(True),
    "maxSize": _sized(False),
    "allInThreadHaveKeyword": _keyword(lambda flags: ThreadFlagged(Among.ALL, flags)),
    "someInThreadHaveKeyword": _keyword(lambda flags: ThreadFlagged(Among.SOME, flags)),
    "noneInThreadHaveKeyword": _keyword(lambda flags: ThreadFlagged(Among.SOME, flags), False),
    "hasKeyword": _keyword(Flagged),
    "notKeyword": _keyword(Flagged, False),
    "hasAttachment": _attached,
    "text": _text(lambda term: Contains(Where.TEXT, term)),
    "from": _field("From"),
    "to": _field("To"),
    "cc": _field("Cc"),
    "bcc": _field("Bcc"),
    "subject": _field("Subject"),
    "body": _text(lambda term: Contains(Where.BODY, term)),
    "header": _header,
}
