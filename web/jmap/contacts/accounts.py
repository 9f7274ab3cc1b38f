"""Whose contacts a request is about: the user's own, or books that others share (RFC 9670)."""

from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

from storage.book_shares import ALL
from storage.object_ids import account_number
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, SetError
from web.jmap.methods import Call

CONTACTS: Final = "urn:ietf:params:jmap:contacts"
RIGHTS: Final = {"mayRead": "r", "mayWrite": "w", "mayShare": "a", "mayDelete": "x"}


def contacts_account(call: Call[Context], account_id: str) -> Account:
    """Logins that see some folders alone see no contacts. Raises MethodError."""
    login = call.context.login
    if login.grant.folders:
        account_of(call, account_id)
        raise MethodError("accountNotSupportedByMethod")
    shared = [one for one in call.context.shared if account_number(one.owner) == account_id]
    if not shared:
        return account_of(call, account_id)
    books = {one.book.id: one.rights for one in shared}
    owner, address = shared[0].owner, shared[0].address
    writes = call.context.writes_in(owner)
    return Account(owner, login.grant, address, call.budget, books, login.account, writes)


def rights_in(account: Account, book: int) -> str:
    """Letters of storage/book_shares.py; "" where the book is not seen."""
    found = ALL if account.books is None else account.books.get(book, "")
    return found if not account.grant.read_only else "r" if found else ""


def needs(account: Account, book: int, letter: str) -> None:
    """Raises SetError: forbidden."""
    if letter not in rights_in(account, book):
        raise SetError("forbidden", "the address book is not shared so far")


def shown_state(account: Account, state: str) -> str:
    """A state, which in the account of somebody else tells what is shared too."""
    return state if account.books is None else marked(state, _mark(account))


def since_of(account: Account, state: str) -> int:
    """The number in such a state. Raises MethodError: cannotCalculateChanges."""
    number, _, mark = state.partition("-")
    wanted = "" if account.books is None else _mark(account)
    if not (number.isascii() and number.isdecimal() and len(number) < 19) or mark != wanted:
        raise MethodError("cannotCalculateChanges")
    return int(number)


def seen(account: Account) -> Sequence[int] | None:
    """Ids of the books that are seen; None for all."""
    return None if account.books is None else list(account.books)


def marked(state: str, mark: str) -> str:
    """A state of somebody else's account, with the mark of what is shared there."""
    return f"{state}-{mark}"


def _mark(account: Account) -> str:
    return mark_of(account.books or {})


def mark_of(books: Mapping[int, str]) -> str:
    """What a state tells of rights in books."""
    return str(crc32(repr(sorted(books.items())).encode()))
