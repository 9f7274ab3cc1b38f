"""Rules as JSON: what commands and programs show and send.

{"name": "Lists", "enabled": true, "match": "all", "stop": true,
 "conditions": [{"type": "list", "value": "python", "negated": false}],
 "actions": [{"type": "file", "mailbox": "Lists"}]}
"""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from enum import StrEnum
from typing import Any, Final

from filters.rules.values import (
    Action,
    Address,
    Archive,
    Attachment,
    BadRule,
    Condition,
    Contact,
    Correspondent,
    Delete,
    File,
    Forward,
    Header,
    MailingList,
    MarkRead,
    Match,
    NeverSpam,
    Rule,
    Size,
    Star,
    Tag,
    Text,
    check,
)

CONDITIONS: Final[dict[str, type[Condition]]] = {
    "header": Header,
    "address": Address,
    "contact": Contact,
    "correspondent": Correspondent,
    "size": Size,
    "attachment": Attachment,
    "list": MailingList,
    "text": Text,
}
ACTIONS: Final[dict[str, type[Action]]] = {
    "tag": Tag,
    "star": Star,
    "mark_read": MarkRead,
    "never_spam": NeverSpam,
    "file": File,
    "archive": Archive,
    "delete": Delete,
    "forward": Forward,
}
_TYPES: Final = {made: name for name, made in {**CONDITIONS, **ACTIONS}.items()}


def shape_of(rule: Rule) -> dict[str, Any]:
    """The rule as JSON values."""
    return {
        "name": rule.name,
        "enabled": rule.enabled,
        "match": rule.match.value,
        "stop": rule.stop,
        "conditions": [{"type": _TYPES[type(one)], **asdict(one)} for one in rule.conditions],
        "actions": [{"type": _TYPES[type(one)], **asdict(one)} for one in rule.actions],
    }


def rule_of(shape: object) -> Rule:
    """The rule of JSON values, checked; what may be missing has its default. Raises BadRule."""
    if not isinstance(shape, Mapping):
        raise BadRule("A rule is an object")
    known = {field.name for field in fields(Rule)}
    if unknown := sorted(str(key) for key in shape if key not in known):
        raise BadRule(f"A rule has no {unknown[0]!r}; it has {', '.join(sorted(known))}")
    rule = Rule(
        name=_value(shape, "name", str, ""),
        conditions=tuple(_made(CONDITIONS, one) for one in _list(shape, "conditions")),
        actions=tuple(_made(ACTIONS, one) for one in _list(shape, "actions")),
        match=_choice(Match, _value(shape, "match", str, "all")),
        enabled=_value(shape, "enabled", bool, True),
        stop=_value(shape, "stop", bool, True),
    )
    check(rule)
    return rule


def _made(kinds: Mapping[str, type[Any]], shape: object) -> Any:
    name = shape.get("type") if isinstance(shape, Mapping) else None
    if not isinstance(shape, Mapping) or not isinstance(name, str) or name not in kinds:
        raise BadRule(f"Each has a type: one of {', '.join(kinds)}")
    kind = kinds[name]
    wanted = {field.name: field for field in fields(kind)}
    given: dict[str, Any] = {}
    for key, value in shape.items():
        if key == "type":
            continue
        if key not in wanted:
            raise BadRule(f"{name} has no {key!r}")
        given[key] = _typed(f"{key} of {name}", wanted[key].type, value)
    for key, field in wanted.items():
        if key not in given and field.default is MISSING:
            raise BadRule(f"{name} needs {key!r}")
    return kind(**given)


def _typed(what: str, kind: Any, value: object) -> Any:
    if issubclass(kind, StrEnum):
        return _choice(kind, value)
    if type(value) is not kind:
        raise BadRule(f"{what} is of type {kind.__name__}")
    return value


def _choice(kind: type[StrEnum], value: object) -> Any:
    for choice in kind:
        if choice == value:
            return choice
    raise BadRule(f"{value!r} is none of {', '.join(kind)}")


def _value(shape: Mapping[str, Any], key: str, kind: type[Any], default: Any) -> Any:
    return _typed(key, kind, shape[key]) if key in shape else default


def _list(shape: Mapping[str, Any], key: str) -> list[Any]:
    found = shape.get(key, [])
    if not isinstance(found, list):
        raise BadRule(f"{key} is a list")
    return found
