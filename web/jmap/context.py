"""What a request runs in: who asks, and the accounts that they may name."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from auth.grant import Grant
from auth.login_values import Login
from auth.rights import ALL, NONE, Rights, effective
from storage.acl import BoxKey, Lists
from storage.book_shares import SharedBook
from storage.names import OTHERS
from storage.object_ids import account_number
from storage.values import AccountId, Mailbox
from web.jmap.errors import MethodError
from web.jmap.methods import Call
from web.jmap.octets import Budget


@dataclass(frozen=True, slots=True)
class SharedMail:
    """Mail of `owner`, whose address is `address`, of which somebody else sees some mailboxes.
    `writes`: whether anything may be changed there; `mark` is another one once other mailboxes are
    seen, or other rights are there.
    """

    owner: AccountId
    address: str
    writes: bool
    mark: str


@dataclass(frozen=True, slots=True)
class Context:
    """Of one request; `peer` is the address that it came from, `tls` whether by TLS."""

    login: Login
    peer: str = ""
    tls: bool = False
    shared: Sequence[SharedBook] = ()
    """Address books of other accounts that the user sees."""
    mail: Sequence[SharedMail] = ()
    """Other accounts in which the user sees mailboxes."""
    anyone: bool = True
    """Whether mailboxes may be shared with everybody."""

    def writes_in(self, owner: AccountId) -> bool:
        """Whether the login may change anything in somebody else's account."""
        if self.login.grant.read_only:
            return False
        books = any(one.owner == owner and set(one.rights) - {"r"} for one in self.shared)
        return books or any(one.owner == owner and one.writes for one in self.mail)


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
    writes: bool = True
    """Whether anything may be changed there."""
    anyone: bool = True
    """As Context."""
    mark: str = ""
    """As SharedMail, of somebody else's account."""
    sharers: frozenset[AccountId] = frozenset()
    """Others in whose accounts the user sees mailboxes."""
    share: bool = False
    """Whether the client asks with the capability by which mailboxes are shared."""

    @property
    def read_only(self) -> bool:
        """As the Session says."""
        return self.grant.read_only or not self.writes

    @property
    def limited(self) -> bool:
        """Whether there may be mailboxes that the login must not hear of."""
        return self.user is not None or bool(self.grant.folders)

    @property
    def holder(self) -> AccountId:
        """Whose uploads are meant: the user's own in each account, so that nobody reads those of
        others by what they hold.
        """
        return self.user or self.id

    def shown(self, name: str) -> str:
        """A mailbox's name as the user has it, which is that of IMAP."""
        return name if self.user is None else f"{OTHERS}/{self.address}/{name}"

    def rights(self, box: Mailbox, lists: Lists) -> Rights:
        """In a mailbox of the account: what its list gives, less what the login may not."""
        entries = lists.get(BoxKey.of(box), ()) if lists else ()
        rights = ALL if self.user is None else NONE
        if entries:
            rights = effective(entries, self.user or self.id, box.account, self.anyone)
        use = box.special_use if self.user is None else ""
        return self.grant.cut(rights, self.shown(box.name), use)


def scope_of(context: Context) -> Hashable:
    """Equal for logins that see the same objects."""
    login = context.login
    shared = tuple([(one.book.id, one.rights) for one in context.shared])
    mail = tuple([(one.owner, one.mark) for one in context.mail])
    return login.account, login.grant.folders, login.grant.senders, shared, mail


def account_of(call: Call[Context], account_id: str) -> Account:
    """The user's own account. Raises MethodError."""
    context = call.context
    if account_id != account_number(context.login.account):
        others = {one.owner for one in context.shared} | {one.owner for one in context.mail}
        known = account_id in map(account_number, others)
        raise MethodError("accountNotSupportedByMethod" if known else "accountNotFound")
    return _own(context, call.budget)


def mail_account(call: Call[Context], account_id: str) -> Account:
    """The user's own account, or one in which they see mailboxes. Raises MethodError."""
    return mail_in(call.context, account_id, call.budget) or account_of(call, account_id)


def mail_in(context: Context, account_id: str, budget: Budget) -> Account | None:
    """As mail_account; None where the user sees no mail."""
    login = context.login
    if account_id == account_number(login.account):
        return _own(context, budget)
    for one in context.mail:
        if account_number(one.owner) == account_id:
            return Account(
                *(one.owner, login.grant, one.address, budget, None, login.account),
                writes=context.writes_in(one.owner),
                anyone=context.anyone,
                mark=one.mark,
            )
    return None


def _own(context: Context, budget: Budget) -> Account:
    login = context.login
    return Account(login.account, login.grant, login.address, budget, anyone=context.anyone)
