"""What an account may do by operations, where they are done for one: the policy is auth/roles.py,
here stands which right each operation needs and whose thing it is about.

An operation that is not named here needs Right.SERVER. What is about an account or a queued message
that there is not is refused like one that is somebody else's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from auth.roles import Actor, Right, Role, actor_of, may
from mailserver.operations.errors import Forbidden
from mailserver.operations.queue import queue_id
from mailserver.services import Services
from storage.audit_values import Kind
from storage.directory_names import address_of, catch_all_key, domain_of
from storage.directory_values import Account, DirectoryError

Args = Mapping[str, Any]
Target = Account | str | None

OF_ACCOUNT: Final[Mapping[str, tuple[Right, str]]] = {
    "account.show": (Right.ACCOUNT_SEE, "address"),
    "account.passwd": (Right.ACCOUNT_PASSWORD, "address"),
    "account.disable": (Right.ACCOUNT_ENABLE, "address"),
    "account.enable": (Right.ACCOUNT_ENABLE, "address"),
    "account.delete": (Right.ACCOUNT_DELETE, "address"),
    "account.role": (Right.ACCOUNT_ROLE, "address"),
    "account.app-password.add": (Right.CREDENTIAL_MAKE, "address"),
    "account.app-password.list": (Right.CREDENTIAL_END, "address"),
    "account.app-password.revoke": (Right.CREDENTIAL_END, "address"),
    "account.app-password.revoke-all": (Right.CREDENTIAL_END, "address"),
    "token.revoke-all": (Right.CREDENTIAL_END, "address"),
    "account.second-factor.sms.begin": (Right.CREDENTIAL_MAKE, "address"),
    "account.second-factor.sms.confirm": (Right.CREDENTIAL_MAKE, "address"),
    "account.second-factor.sms.remove": (Right.ACCOUNT_PASSWORD, "address"),
    "account.passkey.list": (Right.CREDENTIAL_END, "address"),
    "account.passkey.delete": (Right.ACCOUNT_PASSWORD, "address"),
    "account.second-factor.show": (Right.CREDENTIAL_END, "address"),
    "account.second-factor.begin": (Right.CREDENTIAL_MAKE, "address"),
    "account.second-factor.confirm": (Right.CREDENTIAL_MAKE, "address"),
    "account.second-factor.codes": (Right.CREDENTIAL_MAKE, "address"),
    "account.second-factor.remove": (Right.ACCOUNT_PASSWORD, "address"),
    "account.device.list": (Right.CREDENTIAL_END, "address"),
    "account.device.forget": (Right.CREDENTIAL_END, "address"),
    "account.sending.allow": (Right.SENDING_GRANT, "owner"),
    "account.sending.list": (Right.SENDING_GRANT, "owner"),
    "account.sending.revoke": (Right.SENDING_GRANT, "owner"),
    "account.share.list": (Right.MAILBOX_SHARE, "address"),
    "account.share.set": (Right.MAILBOX_SHARE, "address"),
    "account.share.delete": (Right.MAILBOX_SHARE, "address"),
    "token.add": (Right.CREDENTIAL_MAKE, "address"),
    "token.list": (Right.CREDENTIAL_END, "address"),
    "token.revoke": (Right.CREDENTIAL_END, "address"),
    "oauth.consent.list": (Right.CREDENTIAL_END, "address"),
    "oauth.consent.revoke": (Right.CREDENTIAL_END, "address"),
    "audit.list": (Right.AUDIT_SEE, "address"),
    "quarantine.list": (Right.MAIL_READ, "account"),
    "quarantine.show": (Right.MAIL_READ, "account"),
    "quarantine.release": (Right.MAIL_READ, "account"),
    "quarantine.delete": (Right.MAIL_READ, "account"),
    "queue.list": (Right.QUEUE_SEE, "account"),
    "queue.shape": (Right.QUEUE_SEE, "account"),
    "queue.cancel": (Right.QUEUE_CANCEL, "account"),
    "contact.list": (Right.MAIL_READ, "address"),
    "contact.written": (Right.MAIL_READ, "address"),
    "contact.add": (Right.MAIL_READ, "address"),
    "contact.delete": (Right.MAIL_READ, "address"),
    "contact.books": (Right.MAIL_READ, "address"),
    "contact.duplicates": (Right.MAIL_READ, "address"),
    "contact.collect": (Right.MAIL_READ, "address"),
    "contact.complete": (Right.MAIL_READ, "address"),
    "contact.versions": (Right.MAIL_READ, "address"),
    "contact.restore": (Right.MAIL_READ, "address"),
    "contact.share.list": (Right.MAIL_READ, "address"),
    "contact.share.set": (Right.MAIL_READ, "address"),
    "rules.list": (Right.MAIL_READ, "address"),
    "rules.add": (Right.MAIL_READ, "address"),
    "rules.delete": (Right.MAIL_READ, "address"),
    "sieve.list": (Right.MAIL_READ, "address"),
    "sieve.show": (Right.MAIL_READ, "address"),
    "sieve.put": (Right.MAIL_READ, "address"),
    "sieve.activate": (Right.MAIL_READ, "address"),
    "sieve.deactivate": (Right.MAIL_READ, "address"),
    "sieve.rename": (Right.MAIL_READ, "address"),
    "sieve.delete": (Right.MAIL_READ, "address"),
    "sieve.test": (Right.MAIL_READ, "address"),
    "webhook.add": (Right.MAIL_READ, "address"),
    "webhook.list": (Right.MAIL_READ, "address"),
    "webhook.log": (Right.MAIL_READ, "address"),
    "webhook.test": (Right.MAIL_READ, "address"),
    "webhook.enable": (Right.MAIL_READ, "address"),
    "webhook.delete": (Right.MAIL_READ, "address"),
    "tags.list": (Right.MAIL_READ, "address"),
    "tags.add": (Right.MAIL_READ, "address"),
    "tags.delete": (Right.MAIL_READ, "address"),
    "tags.auto": (Right.MAIL_READ, "address"),
    "tags.learn": (Right.MAIL_READ, "address"),
    "tags.why": (Right.MAIL_READ, "address"),
    "drive.list": (Right.MAIL_READ, "address"),
    "drive.links": (Right.MAIL_READ, "address"),
    "drive.link": (Right.MAIL_READ, "address"),
    "drive.reads": (Right.MAIL_READ, "address"),
    "drive.revoke": (Right.MAIL_READ, "address"),
    "drive.keep": (Right.MAIL_READ, "address"),
    "drive.delete": (Right.MAIL_READ, "address"),
}
"""The right, and the argument that names the account. Without that argument all are meant."""

OF_QUEUED: Final[Mapping[str, Right]] = {
    "queue.show": Right.QUEUE_SEE,
    "queue.why": Right.QUEUE_SEE,
    "queue.retry": Right.QUEUE_CHANGE,
    "queue.hold": Right.QUEUE_CHANGE,
    "queue.release": Right.QUEUE_CHANGE,
    "queue.bounce": Right.QUEUE_CHANGE,
}
OF_DOMAIN: Final[Mapping[str, tuple[Right, str]]] = {
    "account.add": (Right.ACCOUNT_ADD, "address"),
    "alias.add": (Right.ALIAS, "alias"),
    "alias.set": (Right.ALIAS, "alias"),
    "alias.delete": (Right.ALIAS, "alias"),
    "domain.dns": (Right.DOMAIN_SEE, "domain"),
}
OF_SERVER: Final[Mapping[str, Right]] = {
    "domain.add": Right.DOMAIN_CHANGE,
    "domain.set": Right.DOMAIN_CHANGE,
    "domain.delete": Right.DOMAIN_CHANGE,
    "domain.rotate": Right.DOMAIN_CHANGE,
}
LISTED: Final[Mapping[str, tuple[Right, str]]] = {
    "account.list": (Right.ACCOUNT_SEE, "address"),
    "alias.list": (Right.ALIAS, "alias"),
    "domain.list": (Right.DOMAIN_SEE, "name"),
}
"""Lists of which an account sees its part: the right, and what names whose a row is."""
_READING: Final = frozenset({"list", "show", "written", "shape", "why", "links", "reads"})
_TELLING: Final = frozenset(
    {
        "account.role",
        "account.sending.allow",
        "account.sending.revoke",
        "account.share.set",
        "account.share.delete",
    }
)
"""What names in the audit log who did it."""
_CHOICES: Final = frozenset({"imap_mask", "gmail_labels", "notify_new_device"})
_QUOTAS: Final = frozenset({"quota", "quota_messages"})


async def permitted(services: Services, address: str, name: str, args: Args) -> Args:
    """The arguments with which the account `address` may do the operation. Raises OperationError,
    StoreError.
    """
    actor = await _actor(services, address)
    for right, target in await _needed(services, name, args):
        if not may(actor, right, target):
            raise Forbidden(f"{actor.address} may not do this: {right.value}")
    return {**args, "by": actor.address, "bounded": actor.role is not Role.ADMINISTRATOR}


async def visible(services: Services, address: str, name: str, result: Any) -> Any:
    """What the account may see of the result. Raises OperationError, StoreError."""
    if name not in LISTED:
        return result
    right, key = LISTED[name]
    actor = await _actor(services, address)
    return [row for row in result if may(actor, right, await _row_target(services, name, row[key]))]


async def changed_of(services: Services, name: str, args: Args) -> Account | None:
    """The account that an operation changes something of, where its audit log does not say by whom
    already. Raises StoreError.
    """
    key = (
        "address" if name in ("account.set", "account.add") else OF_ACCOUNT.get(name, (None, ""))[1]
    )
    if name in _TELLING or name.rpartition(".")[2] in _READING or not args.get(key):
        return None
    return await services.directory.account(str(args[key]))


def tell(services: Services, by: str, name: str, whose: Account | None) -> None:
    """The audit log of the account says who did the operation, if another: `by` is an account's
    address.
    """
    if whose is not None and whose.address != by:
        detail = f"{name}, by {by}"
        services.auth.audit.record(Kind.ADMINISTERED, whose.id, whose.address, detail=detail)


async def _actor(services: Services, address: str) -> Actor:
    account = await services.directory.account(address)
    actor = None if account is None else actor_of(account)
    if actor is None:
        raise Forbidden(f"there is no account {address}, or it is disabled")
    return actor


async def _needed(services: Services, name: str, args: Args) -> Sequence[tuple[Right, Target]]:
    """Each right, and whose thing it is about."""
    if name in LISTED:
        return ()  # `visible` says what of it
    if name == "account.set":
        account = await services.directory.account(args["address"])
        return [(right, account) for right in _rights_of_set(args)]
    if name in OF_ACCOUNT:
        right, key = OF_ACCOUNT[name]
        address = args.get(key)
        target = await services.directory.account(str(address)) if address else None
        return ((right, target),)
    if name in OF_QUEUED:
        return ((OF_QUEUED[name], await _sender(services, args)),)
    if name in OF_DOMAIN:
        right, key = OF_DOMAIN[name]
        needed: list[tuple[Right, Target]] = [(right, _domain(str(args[key])))]
        if right is Right.ALIAS and (owner := await _mail_of(services, str(args[key]))) is not None:
            needed.append((Right.MAIL_READ, owner))
        return [*needed, (Right.ACCOUNT_ROLE, None)] if args.get("admin") else needed
    return ((OF_SERVER.get(name, Right.SERVER), None),)


def _rights_of_set(args: Args) -> set[Right]:
    given = {key for key, value in args.items() if key != "address" and value}
    given |= {key for key in (*_CHOICES, *_QUOTAS) if args.get(key) is not None}
    submission = set(given & {"submission"} and args["submission"])
    rights = {Right.ACCOUNT_SEE}
    if given & _QUOTAS:
        rights.add(Right.ACCOUNT_QUOTA)
    if given & _CHOICES or "save_sent" in submission:
        rights.add(Right.ACCOUNT_CHOICES)
    if given - _CHOICES - _QUOTAS - {"submission"} or submission - {"save_sent"}:
        rights.add(Right.ACCOUNT_LIMITS)
    return rights


async def _sender(services: Services, args: Args) -> Target:
    """Whose mail it is that the queue has under this id."""
    if args.get("id") is None:
        return None
    entry = await services.store.queue.show(queue_id(args))
    if entry is None or entry.account is None:
        return None
    return await services.directory.account_by_id(entry.account)


async def _mail_of(services: Services, alias: str) -> Account | None:
    """Whose mail an alias would take away: of a sub-address, or of an account of a source."""
    try:
        box = address_of(alias)
    except DirectoryError:
        return None
    found = await services.directory.account(box)
    return found or await services.directory.account(box.split()[0])


async def _row_target(services: Services, name: str, value: str) -> Target:
    if name == "account.list":
        return await services.directory.account(value)
    return _domain(value)


def _domain(text: str) -> str:
    """Of an address, a catch-all or a domain; "" where it is none, which nobody administers."""
    try:
        key = catch_all_key(text)
        if key is not None:
            return key[1:]
        return address_of(text).domain if "@" in text else domain_of(text)
    except DirectoryError:
        return ""
