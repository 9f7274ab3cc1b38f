"""CARDDAV:filter: which cards a query finds (RFC 6352 §10.5). Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from message.casemap import casemap
from message.vcard import Property, Vcard
from message.vcard_values import unescaped
from web.dav.errors import DavError
from web.dav.names import C
from web.dav.xml_read import Element, size_of

MAX_TESTS: Final = 200
COLLATIONS: Final = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
_DEFAULT: Final = "i;unicode-casemap"
_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_FOLDS: Final[dict[str, Callable[[str], str]]] = {
    "i;ascii-casemap": lambda text: text.translate(_UPPER),
    "i;octet": str,
    _DEFAULT: casemap,
    "default": casemap,
}
_MATCHES: Final[dict[str, Callable[[str, str], bool]]] = {
    "equals": str.__eq__,
    "contains": str.__contains__,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
}
_NAME: Final = re.compile(r"(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9-]+)")


@dataclass(frozen=True, slots=True)
class TextMatch:
    """`text` is folded by the collation."""

    text: str
    collation: str
    match: str
    negated: bool

    def matches(self, text: str) -> bool:
        found = _MATCHES[self.match](_FOLDS[self.collation](text), self.text)
        return found != self.negated


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """`defined` False: the parameter must not be there; `text` is one of its values."""

    name: str
    defined: bool
    text: TextMatch | None

    def matches(self, one: Property) -> bool:
        values = one.param(self.name)
        if not self.defined or not values:
            return self.defined == bool(values)
        return self.text is None or any(map(self.text.matches, values))


@dataclass(frozen=True, slots=True)
class PropFilter:
    """`group` "" is any group."""

    name: str
    group: str
    defined: bool
    texts: tuple[TextMatch, ...]
    params: tuple[ParamFilter, ...]
    all_of: bool

    def matches(self, card: Vcard) -> bool:
        found = [
            one for one in card.all(self.name) if not self.group or one.group.upper() == self.group
        ]
        if not self.defined or not found:
            return self.defined == bool(found)
        return any(map(self._one_matches, found))

    def _one_matches(self, one: Property) -> bool:
        if not self.texts and not self.params:
            return True
        value = unescaped(one.value)
        tests = [text.matches(value) for text in self.texts]
        tests += [param.matches(one) for param in self.params]
        return all(tests) if self.all_of else any(tests)


@dataclass(frozen=True, slots=True)
class CardFilter:
    """One without properties finds every card."""

    properties: tuple[PropFilter, ...] = ()
    all_of: bool = False

    def matches(self, card: Vcard) -> bool:
        if not self.properties:
            return True
        tests = (one.matches(card) for one in self.properties)
        return all(tests) if self.all_of else any(tests)


def parse_filter(element: Element) -> CardFilter:
    """Raises DavError."""
    if size_of(element) > MAX_TESTS:
        raise DavError(403, C + "supported-filter", f"more than {MAX_TESTS} tests")
    found = tuple(map(_property, element.all(C + "prop-filter")))
    return CardFilter(found, _is_all(element))


def _is_all(element: Element) -> bool:
    test = element.attributes.get("test", "anyof")
    if test not in ("anyof", "allof"):
        raise DavError(400, detail="test is anyof or allof")
    return test == "allof"


def _property(element: Element) -> PropFilter:
    match = _NAME.fullmatch(element.attributes.get("name", ""))
    if match is None:
        raise DavError(400, detail="prop-filter has the name of a property")
    return PropFilter(
        match[2].upper(),
        (match[1] or "").upper(),
        element.find(C + "is-not-defined") is None,
        tuple(map(_text, element.all(C + "text-match"))),
        tuple(map(_param, element.all(C + "param-filter"))),
        _is_all(element),
    )


def _param(element: Element) -> ParamFilter:
    match = _NAME.fullmatch(element.attributes.get("name", ""))
    if match is None or match[1]:
        raise DavError(400, detail="param-filter has the name of a parameter")
    text = element.find(C + "text-match")
    return ParamFilter(
        match[2].upper(),
        element.find(C + "is-not-defined") is None,
        None if text is None else _text(text),
    )


def _text(element: Element) -> TextMatch:
    collation = element.attributes.get("collation", _DEFAULT).lower()
    if collation not in _FOLDS:
        raise DavError(403, C + "supported-collation", f"not {collation}")
    match = element.attributes.get("match-type", "contains")
    if match not in _MATCHES:
        raise DavError(400, detail="match-type is equals, contains, starts-with or ends-with")
    negated = element.attributes.get("negate-condition", "no") == "yes"
    return TextMatch(_FOLDS[collation](element.text), collation, match, negated)
