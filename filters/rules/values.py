"""A rule: what has to hold of a message, and what is done with it then.

Invariant: actions stand in the order in which a script must do them: flags before the filing that
they are for, each once. Whoever makes a rule may give them in any order.
"""

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, TypeAlias

from message.address import AddressError, parse_mailbox

MAX_RULES: Final = 1_000
MAX_CONDITIONS: Final = 50
MAX_ACTIONS: Final = 20
MAX_FORWARDS: Final = 4
MAX_TEXT: Final = 1_000
_TEXT: Final = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_FIELD: Final = re.compile(r"[!-9;-~]{1,100}")
_KEYWORD: Final = re.compile(r"[!$&'+\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,64}")
_ADDRESS: Final = re.compile(r"[^\s<>\"\\@]+@[^\s<>\"\\@]+")
NOT_JUNK: Final = "$NotJunk"


class BadRule(ValueError):
    """No rule; the text says why."""


class Match(StrEnum):
    """Whether all conditions must hold, or one."""

    ALL = "all"
    ANY = "any"


class Compare(StrEnum):
    """How a text is compared, always without case. MATCHES knows `*` and `?`; DOMAIN is for
    addresses alone.
    """

    CONTAINS = "contains"
    IS = "is"
    MATCHES = "matches"
    DOMAIN = "domain"


class Who(StrEnum):
    """Whose address; RECIPIENT is anybody in To and Cc."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class Header:
    """A field of the header, named without its colon; of List-Id see MailingList."""

    name: str
    value: str
    compare: Compare = Compare.CONTAINS
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """An address, without its display name."""

    who: Who
    value: str
    compare: Compare = Compare.CONTAINS
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody in the address book, or in one of its groups ("" is the whole book)."""

    who: Who
    group: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody whom the account wrote to before."""

    who: Who
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """More than so many octets, or fewer."""

    octets: int
    over: bool = True


@dataclass(frozen=True, slots=True)
class Attachment:
    """There is one."""

    negated: bool = False


@dataclass(frozen=True, slots=True)
class MailingList:
    """Its List-Id contains a text."""

    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """The text of the message contains a text."""

    value: str
    negated: bool = False


Condition: TypeAlias = (
    Header | Address | Contact | Correspondent | Size | Attachment | MailingList | Text
)


@dataclass(frozen=True, slots=True)
class Tag:
    """An IMAP keyword."""

    keyword: str


@dataclass(frozen=True, slots=True)
class Star:
    """\\Flagged."""


@dataclass(frozen=True, slots=True)
class MarkRead:
    """\\Seen."""


@dataclass(frozen=True, slots=True)
class NeverSpam:
    """Into INBOX where the filters say Junk, unless another action files it; marked $NotJunk."""


@dataclass(frozen=True, slots=True)
class File:
    """Into a mailbox, which is made if it is missing."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Archive:
    """Into the mailbox for archives."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Into the mailbox for trash."""


@dataclass(frozen=True, slots=True)
class Forward:
    """To an address; `keep`: the account gets it too."""

    address: str
    keep: bool = True


Action: TypeAlias = Tag | Star | MarkRead | NeverSpam | File | Archive | Delete | Forward
FILING: Final = (File, Archive, Delete)
_ORDER: Final = (Tag, Star, MarkRead, NeverSpam, File, Archive, Delete, Forward)


@dataclass(frozen=True, slots=True)
class Rule:
    """Without conditions it is for every message. `stop`: no later rule is asked where this one
    holds.
    """

    name: str
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    match: Match = Match.ALL
    enabled: bool = True
    stop: bool = True

    def __post_init__(self) -> None:
        ordered = sorted(dict.fromkeys(self.actions), key=lambda one: _ORDER.index(type(one)))
        object.__setattr__(self, "actions", tuple(ordered))


def check(rule: Rule) -> None:
    """Raises BadRule."""
    _text("The name of a rule", rule.name)
    if rule.name != rule.name.strip():
        raise BadRule("The name of a rule begins and ends with no space")
    if len(rule.conditions) > MAX_CONDITIONS or len(rule.actions) > MAX_ACTIONS:
        raise BadRule(f"A rule has at most {MAX_CONDITIONS} conditions and {MAX_ACTIONS} actions")
    if sum(isinstance(one, Forward) for one in rule.actions) > MAX_FORWARDS:
        raise BadRule(f"A rule forwards to {MAX_FORWARDS} addresses at most")
    if not rule.actions and not rule.stop:
        raise BadRule("A rule does something")
    for condition in rule.conditions:
        _check_condition(condition)
    for action in rule.actions:
        _check_action(action)
    if NeverSpam() in rule.actions and File("INBOX") in rule.actions:
        raise BadRule("What is never spam goes into INBOX by itself")


def _check_condition(condition: Condition) -> None:
    for field in fields(condition):
        value = getattr(condition, field.name)
        if field.type is str and field.name != "group":
            _text("What is looked for", value)
    match condition:
        case Header(name, _, compare):
            if not _FIELD.fullmatch(name):
                raise BadRule(f"{name!r} is no name of a header field")
            if compare is Compare.DOMAIN:
                raise BadRule("Only addresses have domains")
            if name.lower() == "list-id" and compare is Compare.CONTAINS:
                raise BadRule("A condition on List-Id is one on the mailing list")
        case Contact(_, group) if group:
            _text("The name of a group", group)
        case Size(octets) if not 0 <= octets < 2**31:
            raise BadRule("A size is below 2 GiB")


def _check_action(action: Action) -> None:
    match action:
        case Tag(keyword):
            if not _KEYWORD.fullmatch(keyword) or keyword.lower() == NOT_JUNK.lower():
                raise BadRule(f"{keyword!r} is no tag")
        case File(mailbox):
            _text("The name of a mailbox", mailbox)
        case Forward(address):
            _check_address(address)


def _check_address(address: str) -> None:
    try:
        parse_mailbox(address)
    except AddressError as error:
        raise BadRule(f"{address!r} is no address: {error}") from None
    if not _ADDRESS.fullmatch(address) or len(address) > 320:
        raise BadRule(f"{address!r} is no plain address")


def _text(what: str, value: str) -> None:
    if not _TEXT.fullmatch(value):
        raise BadRule(f"{what} is not empty and has no control characters")
    if len(value) > MAX_TEXT:
        raise BadRule(f"{what} has at most {MAX_TEXT} characters")
