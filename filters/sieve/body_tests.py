"""body (RFC 5173). Its wildcards set no variables (§6)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.matching import Matcher, matcher_of
from filters.sieve.parts import Parts, parts_of
from filters.sieve.signature import MATCH, Given, Option, TestDefinition, Type
from filters.sieve.state import Run, Truth
from filters.sieve.strings import Texts
from filters.sieve.values import Values
from message.scan import Part
from message.words import decode_text

_TRANSFORMS: Final = (":raw", ":content", ":text")


@dataclass(frozen=True, slots=True)
class Body:
    """`kinds` are the types that `:content` asks for."""

    transform: str
    kinds: Texts
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        parts = parts_of(run)
        kinds = tuple([kind.lower() for kind in self.kinds.of(run)])
        key = (self.transform, *kinds)
        values = parts.kept.get(key)
        if values is None:
            values = parts.kept.put(key, Values(self._texts(run, parts, kinds)))
            run.spend(values.weight)
        return self.matcher.any(run, values)

    def _texts(self, run: Run, parts: Parts, kinds: tuple[str, ...]) -> list[str]:
        if self.transform == ":raw":
            start = parts.root.body_offset
            return [decode_text(parts.data[start : start + run.limits.body_size], "")]
        found = parts.below(parts.root)
        if self.transform == ":text":
            return [parts.text(one, plain=True) for one in found if one.type == b"text"]
        chosen = [one for one in found if any(_is_kind(one, kind) for kind in kinds)]
        return [text for one in chosen for text in _content(parts, one)]


def _is_kind(part: Part, kind: str) -> bool:
    """ "" is every type, "text" all of text (RFC 5173 §5.2)."""
    if not kind:
        return True
    own = part.content_type
    return own == kind if "/" in kind else own.partition("/")[0] == kind


def _content(parts: Parts, part: Part) -> list[str]:
    """Of a multipart what stands before and behind its parts, of a message its header."""
    if part.is_message and part.children:
        inner = part.children[0]
        start = inner.header_offset
        return [decode_text(parts.data[start : start + inner.header_length], "")]
    if not part.is_multipart:
        return [parts.text(part, plain=False)]
    if not part.children:
        return []
    first, last = part.children[0], part.children[-1]
    end = part.body_offset + part.body_length
    edges = (
        (part.body_offset, first.header_offset),
        (last.body_offset + last.body_length, end),
    )
    return [decode_text(parts.data[start:stop], "") for start, stop in edges]


def _body(given: Given) -> Truth:
    given.compiler.reads_body = True
    transform = given.chosen(_TRANSFORMS, ":text")
    kinds = given.compiler.texts(given, ":content")
    return Body(transform, kinds, matcher_of(given, 0, capture=False))


COMMANDS: Final = ()
TESTS: Final = (
    TestDefinition(
        "body",
        _body,
        "body",
        (
            *MATCH,
            Option(":raw", group="transform"),
            Option(":content", Type.STRINGS, group="transform"),
            Option(":text", group="transform"),
        ),
        (Type.STRINGS,),
    ),
)
