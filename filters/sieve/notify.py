"""notify and its tests (RFC 5435), by mailto (RFC 5436)."""

from dataclasses import dataclass
from typing import Final

from filters.sieve.actions import Notify
from filters.sieve.errors import Mistake, RunError
from filters.sieve.filing import FileIntoNode, address_of
from filters.sieve.mailto import read_mailto
from filters.sieve.matching import Matcher, matcher_of
from filters.sieve.signature import MATCH, Definition, Given, Option, TestDefinition, Type
from filters.sieve.state import Flow, Node, Run, Truth
from filters.sieve.strings import Text, Texts
from filters.sieve.vacation import FCC, fcc_node, fcc_of
from filters.sieve.values import Values
from message.address import AddressError


@dataclass(frozen=True, slots=True)
class NotifyNode:
    method: Text
    sender: Text
    importance: Text
    options: Texts
    message: Text
    fcc: FileIntoNode | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        uri = self.method.of(run)
        try:
            found = read_mailto(uri, run.limits.redirects)
        except ValueError as error:
            raise RunError(f"notify: {error}") from error
        if self._is_automatic(run):
            run.warn(self.line, "an automatic message causes no note")
            return None
        importance = self.importance.of(run)
        action = Notify(
            uri, found.to, self.message.of(run), self._sender(run),
            int(importance) if importance in ("1", "2", "3") else 2, self.options.of(run),
            found.headers, found.body, fcc_of(self.fcc, run), run.place(self.line),
        )  # fmt: skip
        run.add(action)
        return None

    def _is_automatic(self, run: Run) -> bool:
        """RFC 5436 §2.7: notes must not cause notes."""
        found = run.fields.named("auto-submitted")
        return any(one.decoded().partition(";")[0].strip().lower() != "no" for one in found)

    def _sender(self, run: Run) -> str:
        text = self.sender.of(run)
        try:
            return text and (text if address_of(text) else "")
        except AddressError as error:
            run.warn(self.line, f":from of notify is left out: {error}")
            return ""


@dataclass(frozen=True, slots=True)
class ValidMethod:
    """All of them can be used."""

    uris: Texts

    def holds(self, run: Run) -> bool:
        return all(_is_valid(uri, run) for uri in self.uris.of(run))


@dataclass(frozen=True, slots=True)
class MethodCapability:
    """Nobody knows whether a reader of mail is online (RFC 5436 §2.4)."""

    uri: Text
    capability: Text
    matcher: Matcher

    def holds(self, run: Run) -> bool:
        if self.capability.of(run).lower() != "online" or not _is_valid(self.uri.of(run), run):
            return False
        return self.matcher.any(run, Values(["maybe"]))


def _is_valid(uri: str, run: Run) -> bool:
    try:
        read_mailto(uri, run.limits.redirects)
    except ValueError:
        return False
    return True


def _notify(given: Given) -> Node:
    compiler = given.compiler
    method, importance = compiler.string(given, 0), compiler.string(given, ":importance")
    if method.constant is not None:
        try:
            read_mailto(method.constant, compiler.limits.redirects)
        except ValueError as error:
            raise Mistake(str(error), given.offset(0)) from error
    if importance.constant not in (None, "", "1", "2", "3"):
        raise Mistake("the importance is 1, 2 or 3", given.offset(":importance"))
    return NotifyNode(
        method,
        compiler.string(given, ":from"),
        importance,
        compiler.texts(given, ":options"),
        compiler.string(given, ":message"),
        fcc_node(given),
        given.line,
    )


def _capability(given: Given) -> Truth:
    uri, capability = given.compiler.string(given, 0), given.compiler.string(given, 1)
    return MethodCapability(uri, capability, matcher_of(given, 2))


COMMANDS: Final = (
    Definition(
        "notify",
        _notify,
        "enotify",
        (
            Option(":from", Type.STRING),
            Option(":importance", Type.STRING),
            Option(":options", Type.STRINGS),
            Option(":message", Type.STRING),
            *FCC,
        ),
        (Type.STRING,),
    ),
)
TESTS: Final = (
    TestDefinition(
        "valid_notify_method",
        lambda given: ValidMethod(given.compiler.texts(given, 0)),
        "enotify",
        positional=(Type.STRINGS,),
    ),
    TestDefinition(
        "notify_method_capability",
        _capability,
        "enotify",
        MATCH,
        (Type.STRING, Type.STRING, Type.STRINGS),
    ),
)
