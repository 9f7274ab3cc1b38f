"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208).

An account is one quota root, named by its address; all of its mailboxes count for it. Resources
without a limit are not shown. Limits are set by administrators, of the server or of the domain, and
seen by the account itself and by them (auth/roles.py).
"""

from collections.abc import Sequence

from auth.roles import Right, Role, actor_of, may, role_of
from imap.grammar.quota import (
    GetQuota,
    GetQuotaRoot,
    Limited,
    Resource,
    SetQuota,
    quota_line,
    quotaroot_line,
)
from imap.mailboxes import resolve
from imap.replies import No, Reply
from imap.session import Session
from storage.directory_values import Account, NotAllowed
from storage.quota import set_quota
from storage.values import AccountId, Usage

_UNIT = 1024
_MOST = (1 << 63) - 1


async def getquota(session: Session, command: GetQuota) -> Reply:
    account = await _root(session, command.root)
    await _send(session, account)
    return Reply("GETQUOTA completed")


async def getquotaroot(session: Session, command: GetQuotaRoot) -> Reply:
    """The user's own mailbox need not exist: it tells what one of that name would count for."""
    place = await resolve(session, command.mailbox)
    if place.account != session.account:
        place.need("r")
    account = await _account(session, place.account)
    usage = await session.store.usage(account.id)
    resources = _limited(usage)
    roots = [account.address] if resources else []
    session.send(quotaroot_line(command.mailbox, roots, session.utf8))
    if roots:
        session.send(quota_line(account.address, resources))
    return Reply("GETQUOTAROOT completed")


async def setquota(session: Session, command: SetQuota) -> Reply:
    """Resources that are not named have no limit from here on (RFC 9208 §4.1.3)."""
    own = await _account(session, session.account)
    if role_of(own) is Role.USER:
        raise No("Only administrators set quotas", b"NOPERM")
    account = await _root(session, command.root)
    if not _may(own, Right.ACCOUNT_QUOTA, account):
        raise No("Only administrators set quotas", b"NOPERM")
    limits = dict(command.limits)
    octets = _limit(limits.pop(Resource.STORAGE.value, None), _UNIT)
    messages = _limit(limits.pop(Resource.MESSAGE.value, None), 1)
    if limits:
        raise No(f"There is no limit on {next(iter(limits))}", b"CANNOT")
    context = session.context
    try:
        await set_quota(
            *(context.directory, context.store, account.address, octets, messages),
            bounded=not own.admin,
        )
    except NotAllowed as error:
        raise No(str(error), b"CANNOT") from None
    await _send(session, account)
    return Reply("SETQUOTA completed")


def _limit(value: int | None, unit: int) -> int:
    """A limit as the store keeps it, which knows none of 0."""
    if value is None:
        return 0
    if not 0 < value <= _MOST // unit:
        raise No("Such a limit can't be kept; leave the resource out to lift it", b"CANNOT")
    return value * unit


async def _send(session: Session, account: Account) -> None:
    usage = await session.store.usage(account.id)
    session.send(quota_line(account.address, _limited(usage)))


def _limited(usage: Usage) -> Sequence[Limited]:
    """What has a limit; a unit that is begun counts as used."""
    found = []
    if usage.limit_bytes:
        used = -(-usage.bytes // _UNIT)
        found.append(Limited(Resource.STORAGE, used, usage.limit_bytes // _UNIT))
    if usage.limit_messages:
        found.append(Limited(Resource.MESSAGE, usage.messages, usage.limit_messages))
    return found


async def _account(session: Session, number: AccountId) -> Account:
    account = await session.context.directory.account_by_id(number)
    if account is None:
        raise No("The account does not exist", b"NONEXISTENT")
    return account


async def _root(session: Session, root: str) -> Account:
    """The account that a quota root stands for; those of others exist for administrators only."""
    own = await _account(session, session.account)
    account = await session.context.directory.account(root)
    if account is None or not _may(own, Right.ACCOUNT_SEE, account):
        raise No("There is no such quota root", b"NONEXISTENT")
    return account


def _may(own: Account, right: Right, account: Account) -> bool:
    actor = actor_of(own)
    return actor is not None and may(actor, right, account)
