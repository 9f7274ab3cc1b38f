"""keep, fileinto, redirect and discard (RFC 5228 §4), with `:copy` (RFC 3894), `:flags` (RFC 5232),
`:create` (RFC 5490), `:specialuse` (RFC 8579), `:mailboxid` (RFC 9042) and `:list` (RFC 6134).
"""

import re
from dataclasses import dataclass
from typing import Final

from filters.sieve.actions import Discard, FileInto, Keep, Redirect
from filters.sieve.errors import Mistake, RunError
from filters.sieve.flags import FLAGS, flags_for, flags_of
from filters.sieve.lists import list_name
from filters.sieve.signature import Definition, Given, Option, Type
from filters.sieve.state import Flow, Node, Run
from filters.sieve.strings import Text, Texts
from message.address import AddressError, parse_mailbox

MAX_MAILBOX: Final = 1000
SPECIAL_USES: Final = frozenset(
    ["\\all", "\\archive", "\\drafts", "\\flagged", "\\important", "\\junk", "\\sent", "\\trash"]
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\udc80-\udcff]")
COPY: Final = Option(":copy", needs="copy")
CREATE: Final = Option(":create", needs="mailbox")
SPECIAL_USE: Final = Option(":specialuse", Type.STRING, "special-use", "way to find the mailbox")
MAILBOX_ID: Final = Option(":mailboxid", Type.STRING, "mailboxid", "way to find the mailbox")


def mailbox_fault(name: str) -> str:
    """What is wrong with the name of a mailbox, "" when nothing is."""
    if not name:
        return "the name of the mailbox is empty"
    if len(name) > MAX_MAILBOX:
        return f"the name of the mailbox is longer than {MAX_MAILBOX} characters"
    return "the name of the mailbox has a character that no name may have" * bool(
        _CONTROL.search(name)
    )


def spelled(name: str) -> str:
    """INBOX as its first level in capitals (RFC 9051 §5.1)."""
    first, slash, rest = name.partition("/")
    return f"INBOX{slash}{rest}" if first.upper() == "INBOX" else name


def address_of(text: str) -> str:
    """A plain address as it is sent; raises AddressError."""
    inside = text.strip()
    if inside.endswith(">") and "<" in inside:
        inside = inside[inside.rindex("<") + 1 : -1]
    return str(parse_mailbox(inside))


@dataclass(frozen=True, slots=True)
class KeepNode:
    flags: Texts | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        flags = flags_for(run, self.flags)
        run.add(Keep(flags, place=run.place(self.line), version=run.version()))
        run.explicit = True
        return None


@dataclass(frozen=True, slots=True)
class FileIntoNode:
    mailbox: Text
    flags: Texts | None
    copy: bool
    create: bool
    special_use: Text | None
    mailbox_id: Text | None
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        run.add(self.action(run))
        run.explicit = run.explicit or not self.copy
        return None

    def _name(self, run: Run) -> str:
        """That of the mailbox with the id, where there is one."""
        named = spelled(self.mailbox.of(run))
        if self.mailbox_id is None:
            return named
        return run.environment.mailbox_ids.get(self.mailbox_id.of(run), named)

    def action(self, run: Run) -> FileInto:
        """Also what `:fcc` means, which is never done by this node."""
        name = self._name(run)
        fault = mailbox_fault(name)
        if fault:
            raise RunError(fault)
        special = "" if self.special_use is None else self.special_use.of(run)
        return FileInto(
            name, flags_for(run, self.flags), self.copy, self.create, special,
            run.place(self.line), run.version(),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RedirectNode:
    address: Text
    copy: bool
    members: bool
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        address = self.address.of(run)
        if self.members:
            address = list_name(address)
        else:
            try:
                address = address_of(address)
            except AddressError as error:
                raise RunError(f"redirect: {error}") from error
        place = run.place(self.line)
        run.add(Redirect(address, self.copy, self.members, place, run.version()))
        run.explicit = run.explicit or not self.copy
        return None


@dataclass(frozen=True, slots=True)
class DiscardNode:
    line: int

    def do(self, run: Run) -> Flow | None:
        run.line = self.line
        run.add(Discard(run.place(self.line)))
        run.explicit = True
        return None


def filing_of(given: Given, where: int | str) -> FileIntoNode:
    """The mailbox named there, with the tags that say how."""
    mailbox = given.compiler.string(given, where)
    if mailbox.constant is not None:
        fault = mailbox_fault(mailbox.constant)
        if fault:
            raise Mistake(fault, given.offset(where))
    special = given.compiler.string(given, ":specialuse") if given.has(":specialuse") else None
    if special is not None and special.constant is not None:
        check_special_use(special.constant, given.offset(":specialuse"))
    flags, copy, create = flags_of(given), given.has(":copy"), given.has(":create")
    found = given.compiler.string(given, ":mailboxid") if given.has(":mailboxid") else None
    return FileIntoNode(mailbox, flags, copy, create, special, found, given.line)


def check_special_use(name: str, offset: int) -> None:
    """Raises Mistake for what is no special use of RFC 6154 or RFC 8457."""
    if name.lower() not in SPECIAL_USES:
        raise Mistake(f'"{name[:60]}" is no special use, such as "\\\\Junk"', offset)


def _redirect(given: Given) -> Node:
    address, members = given.compiler.string(given, 0), given.has(":list")
    if address.constant is not None and not members:
        try:
            address_of(address.constant)
        except AddressError as error:
            raise Mistake(f'"{address.constant[:80]}": {error}', given.offset(0)) from error
    return RedirectNode(address, given.has(":copy"), members, given.line)


COMMANDS: Final = (
    Definition("keep", lambda given: KeepNode(flags_of(given), given.line), options=(FLAGS,)),
    Definition(
        "fileinto",
        lambda given: filing_of(given, 0),
        "fileinto",
        (COPY, FLAGS, CREATE, SPECIAL_USE, MAILBOX_ID),
        (Type.STRING,),
    ),
    Definition(
        "redirect",
        _redirect,
        options=(COPY, Option(":list", needs="extlists")),
        positional=(Type.STRING,),
    ),
    Definition("discard", lambda given: DiscardNode(given.line)),
)
TESTS: Final = ()
