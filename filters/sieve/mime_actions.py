"""replace, enclose and extracttext (RFC 5703 §5 to §7)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.errors import Mistake
from filters.sieve.flags import variable_name
from filters.sieve.mime_building import enclosing, entity, replacing
from filters.sieve.parts import parts_of
from filters.sieve.signature import Definition, Given, Option, Type
from filters.sieve.state import Flow, Node, Run
from filters.sieve.strings import Reference, Text, Texts
from filters.sieve.variables import MODIFIER_OPTIONS, modified, modifiers_of


@dataclass(frozen=True, slots=True)
class Replace:
    """The part that the loop has reached; outside of a loop the whole message."""

    text: Text
    mime: bool
    subject: Text | None
    sender: Text | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        made = entity(self.text.of(run), self.mime)
        parts, part = parts_of(run), run.part
        if part is None or part is parts.root:
            subject = None if self.subject is None else self.subject.of(run)
            sender = None if self.sender is None else self.sender.of(run)
            run.replace_message(replacing(run.message(), made, subject, sender))
            return None
        if run.base is not None:
            run.warn(self.line, "the part is gone: the message is another one")
            return None
        start, end = part.header_offset, part.body_offset + part.body_length
        inside = [one for one in run.body_edits if not (start <= one[0] and one[1] <= end)]
        if any(one[0] <= start and end <= one[1] for one in inside):
            return None
        run.body_edits = [*inside, (start, end, made)]
        run.changed = True
        return None


@dataclass(frozen=True, slots=True)
class Enclose:
    """The message becomes an attachment of another."""

    text: Text
    subject: Text | None
    headers: Texts
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        subject = None if self.subject is None else self.subject.of(run)
        text, headers = self.text.of(run), self.headers.of(run)
        run.replace_message(enclosing(run.message(), text, subject, headers))
        return None


@dataclass(frozen=True, slots=True)
class ExtractText:
    """The text of the part, "" when it has none."""

    variable: Reference
    modifiers: tuple[str, ...]
    first: int | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        part = run.part
        text = parts_of(run).text(part, plain=True) if part and part.type == b"text" else ""
        room = run.limits.variable_size
        text = text[: room if self.first is None else min(self.first, room)]
        run.set(self.variable, modified(text, self.modifiers))
        return None


def _replace(given: Given) -> Node:
    compiler = given.compiler
    compiler.reads_body = True
    return Replace(
        compiler.string(given, 0),
        given.has(":mime"),
        compiler.string(given, ":subject") if given.has(":subject") else None,
        compiler.string(given, ":from") if given.has(":from") else None,
        given.line,
    )


def _enclose(given: Given) -> Node:
    compiler = given.compiler
    compiler.reads_body = True
    subject = compiler.string(given, ":subject") if given.has(":subject") else None
    headers = compiler.texts(given, ":headers")
    return Enclose(compiler.string(given, 0), subject, headers, given.line)


def _extract(given: Given) -> Node:
    if "variables" not in given.compiler.enabled:
        raise Mistake('"extracttext" needs require "variables"', given.node.offset)
    if not given.compiler.loops:
        raise Mistake('"extracttext" stands within a foreverypart', given.node.offset)
    name = given.strings(0)[0]
    variable = variable_name(name.value, given, name.offset)
    return ExtractText(variable, modifiers_of(given), given.number(":first"), given.line)


_SUBJECT: Final = Option(":subject", Type.STRING)
COMMANDS: Final = (
    Definition(
        "replace",
        _replace,
        "replace",
        (Option(":mime"), _SUBJECT, Option(":from", Type.STRING)),
        (Type.STRING,),
    ),
    Definition(
        "enclose",
        _enclose,
        "enclose",
        (_SUBJECT, Option(":headers", Type.STRINGS)),
        (Type.STRING,),
    ),
    Definition(
        "extracttext",
        _extract,
        "extracttext",
        (*MODIFIER_OPTIONS, Option(":first", Type.NUMBER)),
        (Type.STRING,),
    ),
)
TESTS: Final = ()
