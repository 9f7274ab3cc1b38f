"""Rules to Sieve: one `if` each, behind a comment with its name."""

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from filters.rules.values import (
    FILING,
    NOT_JUNK,
    Action,
    Address,
    Archive,
    Attachment,
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
)
from filters.sieve import tree
from filters.sieve.formatting import text_of
from filters.sieve.tree import Argument, Command, Number, String, Strings, Test

HEAD: Final = (
    "# Rules. They may be changed by hand: what is no rule any more then runs all the same,\r\n"
    "# but the whole is a script of your own, which no program changes.\r\n"
)
MARK: Final = "# rule: "
BOOK: Final = ":addrbook:"
ANY_CONTACT: Final = BOOK + "default"
WRITTEN: Final = ":correspondents"
_LISTS: Final = {Match.ALL: "allof", Match.ANY: "anyof"}


def format_rules(rules: Sequence[Rule]) -> str:
    """The script, with CRLF. The rules are checked ones (values.check)."""
    written = [(rule, _command(rule)) for rule in rules]
    needed = sorted({name for rule in rules for name in _needs(rule)})
    head = HEAD
    if needed:
        names = Strings(tuple(map(String, needed)))
        head += text_of((Command("require", (names,)),))
    return head + "".join(f"\r\n{MARK}{rule.name}\r\n{text_of((made,))}" for rule, made in written)


def _command(rule: Rule) -> Command:
    tests = tuple(map(_test, rule.conditions)) or (Test("true"),)
    listed = _LISTS[rule.match]
    block = tuple(_actions(rule.actions))
    if rule.stop:
        block += (Command("stop"),)
    whole = Test(listed, (), tests, listed=True)
    if not rule.enabled:
        whole = Test("allof", (), (Test("false"), whole), listed=True)
    return Command("if", (), (whole,), block=block)


def _test(condition: Condition) -> Test:
    made = _plain_test(condition)
    negated = not isinstance(condition, Size) and condition.negated
    return Test("not", (), (made,)) if negated else made


def _plain_test(condition: Condition) -> Test:
    match condition:
        case Header(name, value, compare):
            return Test("header", (_tag(compare), String(name), String(value)))
        case Address(who, value, compare):
            part: tuple[Argument, ...] = (_tag(compare),)
            if compare is Compare.DOMAIN:
                part = (tree.Tag(":domain"), tree.Tag(":is"))
            return Test("address", (*part, _fields(who), String(value)))
        case Contact(who, group):
            name = BOOK + quote(group, safe="") if group else ANY_CONTACT
            return Test("address", (tree.Tag(":list"), _fields(who), String(name)))
        case Correspondent(who):
            return Test("address", (tree.Tag(":list"), _fields(who), String(WRITTEN)))
        case Size(octets, over):
            return Test("size", (tree.Tag(":over" if over else ":under"), Number(octets)))
        case Attachment():
            how = (tree.Tag(":mime"), tree.Tag(":anychild"), tree.Tag(":contains"))
            return Test("header", (*how, String("content-disposition"), String("attachment")))
        case MailingList(value):
            return Test("header", (tree.Tag(":contains"), String("list-id"), String(value)))
        case Text(value):
            return Test("body", (tree.Tag(":text"), tree.Tag(":contains"), String(value)))


def _tag(compare: Compare) -> tree.Tag:
    return tree.Tag(f":{compare.value}")


def _fields(who: Who) -> Argument:
    if who is Who.RECIPIENT:
        return Strings((String("to"), String("cc")))
    return String(who.value)


def _actions(actions: Sequence[Action]) -> Iterable[Command]:
    filed = any(isinstance(one, FILING) for one in actions)
    for action in actions:
        match action:
            case Tag(keyword):
                yield _flag(keyword)
            case Star():
                yield _flag("\\Flagged")
            case MarkRead():
                yield _flag("\\Seen")
            case NeverSpam():
                yield _flag(NOT_JUNK)
                if not filed:
                    yield Command("fileinto", (String("INBOX"),))
            case File(mailbox):
                yield Command("fileinto", (tree.Tag(":create"), String(mailbox)))
            case Archive():
                yield _special("\\Archive", "Archive")
            case Delete():
                yield _special("\\Trash", "Trash")
            case Forward(address, keep):
                copy = (tree.Tag(":copy"),) if keep else ()
                yield Command("redirect", (*copy, String(address)))


def _flag(name: str) -> Command:
    return Command("addflag", (String(name),))


def _special(use: str, name: str) -> Command:
    return Command("fileinto", (tree.Tag(":specialuse"), String(use), String(name)))


def _needs(rule: Rule) -> Iterable[str]:
    for condition in rule.conditions:
        match condition:
            case Contact() | Correspondent():
                yield "extlists"
            case Attachment():
                yield "mime"
            case Text():
                yield "body"
    for action in rule.actions:
        match action:
            case Tag() | Star() | MarkRead():
                yield "imap4flags"
            case NeverSpam():
                yield from ("fileinto", "imap4flags")
            case File():
                yield from ("fileinto", "mailbox")
            case Archive() | Delete():
                yield from ("fileinto", "special-use")
            case Forward(keep=True):
                yield "copy"
