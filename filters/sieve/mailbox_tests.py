"""mailboxexists and annotations (RFC 5490), specialuse_exists (RFC 8579),
mailboxidexists (RFC 9042).
"""

from dataclasses import dataclass
from typing import Final

from filters.sieve.environment import Ask, Question
from filters.sieve.filing import check_special_use, spelled
from filters.sieve.matching import Matcher, matcher_of
from filters.sieve.signature import MATCH, Given, TestDefinition, Type
from filters.sieve.state import Run, Truth
from filters.sieve.strings import Text, Texts
from filters.sieve.values import Values


def special_uses(run: Run, name: str) -> frozenset[str] | None:
    """The special uses of a mailbox in lower case; None when mail can't be filed there."""
    found = run.environment.mailboxes.get(spelled(name))
    return None if found is None else frozenset(one.lower() for one in found)


@dataclass(frozen=True, slots=True)
class MailboxExists:
    """All of them."""

    names: Texts

    def holds(self, run: Run) -> bool:
        return all(special_uses(run, name) is not None for name in self.names.of(run))


@dataclass(frozen=True, slots=True)
class MailboxIdExists:
    """All of them."""

    ids: Texts

    def holds(self, run: Run) -> bool:
        return all(one in run.environment.mailbox_ids for one in self.ids.of(run))


@dataclass(frozen=True, slots=True)
class SpecialUseExists:
    """All of the uses are those of the mailbox, or each that of some mailbox."""

    mailbox: Text | None
    uses: Texts

    def holds(self, run: Run) -> bool:
        wanted = {use.lower() for use in self.uses.of(run)}
        if self.mailbox is not None:
            return wanted <= (special_uses(run, self.mailbox.of(run)) or frozenset())
        boxes = run.environment.mailboxes.values()
        return wanted <= {use.lower() for uses in boxes for use in uses}


@dataclass(frozen=True, slots=True)
class Metadata:
    """`mailbox` None is the server."""

    mailbox: Text | None
    entry: Text
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        value = annotation(run, self.mailbox, self.entry.of(run))
        return value is not None and self.matcher.any(run, Values([value]))


@dataclass(frozen=True, slots=True)
class MetadataExists:
    mailbox: Text | None
    entries: Texts

    def holds(self, run: Run) -> bool:
        entries = self.entries.of(run)
        return all(annotation(run, self.mailbox, entry) is not None for entry in entries)


def annotation(run: Run, mailbox: Text | None, entry: str) -> str | None:
    """Its value, of a mailbox that mail may be filed into only."""
    name = "" if mailbox is None else mailbox.of(run)
    if mailbox is not None and special_uses(run, name) is None:
        return None
    answer = run.ask(Question(Ask.METADATA, name, entry))
    return answer if isinstance(answer, str) else None


def _special(given: Given) -> Truth:
    uses = given.compiler.texts(given, 1)
    for use, written in zip(uses.constant or (), given.strings(1), strict=False):
        check_special_use(use, written.offset)
    mailbox = given.compiler.string(given, 0) if given.argument(0) is not None else None
    return SpecialUseExists(mailbox, uses)


def _metadata(given: Given) -> Truth:
    server = given.node.name.startswith("server")
    at = 0 if server else 1
    mailbox = None if server else given.compiler.string(given, 0)
    if given.node.name.endswith("exists"):
        return MetadataExists(mailbox, given.compiler.texts(given, at))
    return Metadata(mailbox, given.compiler.string(given, at), matcher_of(given, at + 1))


_TEXT, _TEXTS = Type.STRING, Type.STRINGS
COMMANDS: Final = ()
TESTS: Final = (
    TestDefinition(
        "mailboxexists",
        lambda given: MailboxExists(given.compiler.texts(given, 0)),
        "mailbox",
        positional=(_TEXTS,),
    ),
    TestDefinition(
        "mailboxidexists",
        lambda given: MailboxIdExists(given.compiler.texts(given, 0)),
        "mailboxid",
        positional=(_TEXTS,),
    ),
    TestDefinition(
        "specialuse_exists", _special, "special-use", positional=(_TEXT, _TEXTS), optional=1
    ),
    TestDefinition("metadata", _metadata, "mboxmetadata", MATCH, (_TEXT, _TEXT, _TEXTS)),
    TestDefinition("metadataexists", _metadata, "mboxmetadata", positional=(_TEXT, _TEXTS)),
    TestDefinition("servermetadata", _metadata, "servermetadata", MATCH, (_TEXT, _TEXTS)),
    TestDefinition("servermetadataexists", _metadata, "servermetadata", positional=(_TEXTS,)),
)
