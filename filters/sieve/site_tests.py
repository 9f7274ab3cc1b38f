"""What the server knows: environment (RFC 5183), spamtest and virustest (RFC 5235), duplicate
(RFC 7352), valid_ext_list (RFC 6134), and ihave (RFC 5463).
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from filters.sieve.actions import Track
from filters.sieve.controls import Constant
from filters.sieve.environment import Ask, Question
from filters.sieve.errors import Mistake, RunError
from filters.sieve.extensions import KNOWN
from filters.sieve.lists import list_name
from filters.sieve.matching import Count, Matcher, matcher_of
from filters.sieve.message_tests import FIELD_NAME
from filters.sieve.signature import MATCH, Definition, Given, Option, TestDefinition, Type
from filters.sieve.state import Flow, Node, Run, Truth
from filters.sieve.strings import Text, Texts
from filters.sieve.values import Values

WEEK: Final = 7 * 86400
MAX_TRACKED: Final = 90 * 86400
MAX_ID: Final = 200
# They change what strings mean, so that only require may bring them in (RFC 5463 §4).
_LEXICAL: Final = frozenset({"variables", "encoded-character"})


@dataclass(frozen=True, slots=True)
class EnvironmentTest:
    """An item that is unknown makes it fail (RFC 5183 §4)."""

    name: Text
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        value = run.environment.items.get(self.name.of(run).lower())
        return value is not None and self.matcher.any(run, Values([value]))


@dataclass(frozen=True, slots=True)
class SpamTest:
    """0 is not tested; 1 to 10, or with `percent` 0 to 100. `:count` tells what was not tested from
    what is no spam at all (RFC 5235 §2.2).
    """

    percent: bool
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        spam = run.environment.spam
        if isinstance(self.matcher, Count):
            return self.matcher.of(run, 0 if spam is None else 1)
        if spam is None:
            return self.matcher.any(run, Values(["0"]))
        spam = min(max(spam, 0.0), 100.0)
        value = round(spam) if self.percent else 1 + int(spam * 9 / 100)
        return self.matcher.any(run, Values([str(value)]))


@dataclass(frozen=True, slots=True)
class VirusTest:
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        virus = run.environment.virus or 0
        if isinstance(self.matcher, Count):
            return self.matcher.of(run, 1 if virus else 0)
        return self.matcher.any(run, Values([str(virus)]))


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The id is that of a field, or a text; one that is missing is no duplicate (RFC 7352 §3)."""

    handle: Text
    header: Text | None
    unique: Text | None
    seconds: int
    last: bool

    def holds(self, run: Run) -> bool:
        value = self._id(run)
        if not value:
            return False
        if len(value) > MAX_ID:
            value = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=20).hexdigest()
        handle = self.handle.of(run)
        track = Track(handle, value, self.seconds, self.last)
        if track not in run.tracks:
            run.tracks.append(track)
        return bool(run.ask(Question(Ask.SEEN, handle, value)))

    def _id(self, run: Run) -> str:
        if self.unique is not None:
            return self.unique.of(run)
        name = "message-id" if self.header is None else self.header.of(run).lower()
        found = run.fields.named(name)
        return found[0].decoded().strip() if found else ""


@dataclass(frozen=True, slots=True)
class ValidList:
    """All of them exist."""

    names: Texts

    def holds(self, run: Run) -> bool:
        names = map(list_name, self.names.of(run))
        return all(bool(run.ask(Question(Ask.LIST, name))) for name in names)


@dataclass(frozen=True, slots=True)
class Error:
    """The script ends with a text of its own."""

    text: Text
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        raise RunError(self.text.of(run))


def _duplicate(given: Given) -> Truth:
    compiler = given.compiler
    header = compiler.string(given, ":header") if given.has(":header") else None
    name = None if header is None else header.constant
    if name is not None and not FIELD_NAME.fullmatch(name):
        raise Mistake("this is no name of a header field", given.offset(":header"))
    unique = compiler.string(given, ":uniqueid") if given.has(":uniqueid") else None
    seconds = given.number(":seconds")
    return Duplicate(
        compiler.string(given, ":handle"),
        header,
        unique,
        WEEK if seconds is None else min(max(seconds, 1), MAX_TRACKED),
        given.has(":last"),
    )


def _ihave(given: Given) -> Truth:
    names = given.compiler.texts(given, 0).constant
    if names is None:
        raise Mistake("the names of extensions can't hold variables", given.offset(0))
    enabled = given.compiler.enabled
    known = all(name in enabled or name in KNOWN - _LEXICAL for name in names)
    if known:
        for name in names:
            given.compiler.enable(name)
    return Constant(known, tentative=True)


def _error(given: Given) -> Node:
    return Error(given.compiler.string(given, 0), given.line)


COMMANDS: Final = (Definition("error", _error, "ihave", positional=(Type.STRING,)),)
TESTS: Final = (
    TestDefinition(
        "environment",
        lambda given: EnvironmentTest(given.compiler.string(given, 0), matcher_of(given, 1)),
        "environment",
        MATCH,
        (Type.STRING, Type.STRINGS),
    ),
    TestDefinition(
        "spamtest",
        lambda given: SpamTest(given.has(":percent"), matcher_of(given, 0)),
        "spamtest",
        (*MATCH, Option(":percent", needs="spamtestplus")),
        (Type.STRING,),
    ),
    TestDefinition(
        "virustest",
        lambda given: VirusTest(matcher_of(given, 0)),
        "virustest",
        MATCH,
        (Type.STRING,),
    ),
    TestDefinition(
        "duplicate",
        _duplicate,
        "duplicate",
        (
            Option(":handle", Type.STRING),
            Option(":header", Type.STRING, group="id"),
            Option(":uniqueid", Type.STRING, group="id"),
            Option(":seconds", Type.NUMBER),
            Option(":last"),
        ),
    ),
    TestDefinition(
        "valid_ext_list",
        lambda given: ValidList(given.compiler.texts(given, 0)),
        "extlists",
        positional=(Type.STRINGS,),
    ),
    TestDefinition("ihave", _ihave, "ihave", positional=(Type.STRINGS,)),
)
