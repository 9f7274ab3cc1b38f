"""Sieve to rules, where a script is nothing but rules: `read_rules(format_rules(rules)) == rules`.

A script counts as rules when the rules read from it, written again, are the same text: so nothing
that somebody wrote by hand is ever lost.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from filters.rules.values import (
    FILING,
    NOT_JUNK,
    Action,
    Address,
    Archive,
    Attachment,
    BadRule,
    Compare,
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
    Who,
    check,
)
from filters.rules.writing import ANY_CONTACT, BOOK, MARK, format_rules
from filters.sieve import tree
from filters.sieve.errors import Mistake
from filters.sieve.parser import parse
from filters.sieve.tree import Argument, Command, Number, String, Strings, Test

_NAME: Final = re.compile(f"^{re.escape(MARK)}(.*)$", re.MULTILINE)
_MATCHES: Final = {"allof": Match.ALL, "anyof": Match.ANY}


class _NoRule(Exception):
    """Sieve that no rule is written as."""


def read_rules(text: bytes) -> tuple[Rule, ...] | None:
    """None for a script of the user's own. Takes any octets."""
    try:
        script = text.decode().replace("\r\n", "\n")
        commands = [one for one in parse(script) if one.name != "require"]
        names = _NAME.findall(script)
        rules = tuple(_rule(name, one) for name, one in zip(names, commands, strict=True))
        for rule in rules:
            check(rule)
    except (UnicodeDecodeError, Mistake, _NoRule, BadRule, ValueError):
        return None
    again = format_rules(rules).replace("\r\n", "\n")
    return rules if again == script else None


def _rule(name: str, command: Command) -> Rule:
    match command:
        case Command("if", (), (Test() as test,), block=tuple(block)):
            pass
        case _:
            raise _NoRule
    enabled = True
    match test:
        case Test("allof", (), (Test("false", (), ()), Test() as inner)):
            test, enabled = inner, False
    listed = _MATCHES.get(test.name)
    if listed is None or not test.tests:
        raise _NoRule
    conditions: Sequence[Test] = test.tests
    if len(conditions) == 1 and conditions[0].name == "true":
        conditions = ()
    stop = bool(block) and block[-1] == Command("stop")
    actions = _actions(block[:-1] if stop else block)
    return Rule(name, tuple(map(_condition, conditions)), actions, listed, enabled, stop)


def _condition(test: Test) -> Condition:
    match test:
        case Test("not", (), (Test() as inner,)):
            return _plain(inner, negated=True)
    return _plain(test, negated=False)


def _plain(test: Test, negated: bool) -> Condition:
    match test.name, test.arguments:
        case "header", (tree.Tag(":mime"), *_):
            return Attachment(negated)
        case "header", (tree.Tag(":contains"), String("list-id"), String(value)):
            return MailingList(value, negated)
        case "header", (tree.Tag(how), String(name), String(value)):
            return Header(name, value, Compare(how[1:]), negated)
        case "address", (tree.Tag(":domain"), tree.Tag(":is"), fields, String(value)):
            return Address(_who(fields), value, Compare.DOMAIN, negated)
        case "address", (tree.Tag(":list"), fields, String(":correspondents")):
            return Correspondent(_who(fields), negated)
        case "address", (tree.Tag(":list"), fields, String(name)):
            return Contact(_who(fields), _group(name), negated)
        case "address", (tree.Tag(how), fields, String(value)):
            return Address(_who(fields), value, Compare(how[1:]), negated)
        case "size", (tree.Tag(how), Number(octets)):
            return Size(octets, how == ":over")
        case "body", (tree.Tag(":text"), tree.Tag(":contains"), String(value)):
            return Text(value, negated)
    raise _NoRule


def _who(fields: Argument) -> Who:
    match fields:
        case String(name):
            return Who(name)
        case Strings():
            return Who.RECIPIENT
    raise _NoRule


def _group(name: str) -> str:
    if name == ANY_CONTACT:
        return ""
    if not name.startswith(BOOK):
        raise _NoRule
    return unquote(name.removeprefix(BOOK))


def _actions(commands: Sequence[Command]) -> tuple[Action, ...]:
    actions = [_action(one) for one in commands]
    own = [one for one in actions if isinstance(one, FILING)]
    if NeverSpam() in actions and own == [File("INBOX")]:
        actions.remove(File("INBOX"))
    return tuple(actions)


def _action(command: Command) -> Action:
    match command.name, command.arguments:
        case "addflag", (String("\\Flagged"),):
            return Star()
        case "addflag", (String("\\Seen"),):
            return MarkRead()
        case "addflag", (String(name),):
            return NeverSpam() if name == NOT_JUNK else Tag(name)
        case "fileinto", (tree.Tag(":specialuse"), String("\\Archive"), _):
            return Archive()
        case "fileinto", (tree.Tag(":specialuse"), String("\\Trash"), _):
            return Delete()
        case "fileinto", (tree.Tag(":create"), String(mailbox)):
            return File(mailbox)
        case "fileinto", (String("INBOX"),):
            return File("INBOX")
        case "redirect", (String(address),):
            return Forward(address, keep=False)
        case "redirect", (tree.Tag(":copy"), String(address)):
            return Forward(address)
    raise _NoRule
