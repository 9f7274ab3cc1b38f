"""What a request runs in: who asks, and the accounts that they may name."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from auth.grant import Grant
from auth.login_values import Login
from auth.rights import ALL, Rights, effective
from storage.acl import BoxKey, Lists
from storage.book_shares import SharedBook
from storage.object_ids import account_number
from storage.values import AccountId, Mailbox
from web.jmap.errors import MethodError
from web.jmap.methods import Call
from web.jmap.octets import Budget


@dataclass(frozen=True, slots=True)
class Context:
    """Of one request; `peer` is the address that it came from, `tls` whether by TLS."""

    login: Login
    peer: str = ""
    tls: bool = False
    shared: Sequence[SharedBook] = ()
    """Address books of other accounts that the user sees."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account that the user named: its number in the store, what the login may do there, and
    how many octets its answer may have.
    """

    id: AccountId
    grant: Grant
    address: str
    budget: Budget
    books: Mapping[int, str] | None = None
    """Rights in the address books of somebody else's account that are seen there."""
    user: AccountId | None = None
    """Who asks, in somebody else's account."""

    def rights(self, box: Mailbox, lists: Lists) -> Rights:
        """In a mailbox of the account."""
        entries = lists.get(BoxKey.of(box), ()) if lists else ()
        rights = effective(entries, self.id, box.account) if entries else ALL
        return self.grant.cut(rights, box.name, box.special_use)


def scope_of(context: Context) -> Hashable:
    """Equal for logins that see the same objects."""
    login = context.login
    shared = tuple([(one.book.id, one.rights) for one in context.shared])
    return login.account, login.grant.folders, login.grant.senders, shared


def account_of(call: Call[Context], account_id: str) -> Account:
    """The user's own account. Raises MethodError."""
    login = call.context.login
    if account_id != account_number(login.account):
        raise MethodError("accountNotFound")
    return Account(login.account, login.grant, login.address, call.budget)
