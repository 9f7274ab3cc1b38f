"""`mailserver account ...`: the directory's row and the store's mailboxes of an account, together.

Arguments are what mailserver/cli/accounts.py sends, results the JSON shapes of the command.
Invariant: a row of the directory without mailboxes (a kill between the two) is mended at start by
`settle_accounts`; mailboxes without a row cannot arise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from auth.arrivals import notify_new_device
from auth.password import PasswordError, check_password, imported_hash
from auth.roles import role_of
from auth.strength import strength
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from message.address import AddressError, parse_mailbox
from net.threads import Busy
from storage.directory_values import Absent, Account, refuse_sourced
from storage.errors import NoSuchAccount
from storage.new_account import make_account
from storage.quota import set_quota
from storage.sign_ups import SignUps
from storage.values import Usage

Args = Mapping[str, Any]
NO_USAGE = Usage(0, 0)
MOST = (1 << 63) - 1
"""What SQL takes."""


async def account_add(services: Services, args: Args) -> dict[str, Any]:
    """Makes an account, its default mailboxes and its Maildir."""
    directory, store = services.directory, services.store
    quota = _limit(args.get("quota", 0))
    hashed, scram = await _secrets(services, args)
    account = await make_account(
        directory,
        store,
        args["address"],
        hashed,
        scram=scram,
        name=args.get("name", ""),
        admin=bool(args.get("admin", False)),
        quota_bytes=quota,
        bounded=bool(args.get("bounded")),
    )
    return await _with_strength(services, account, args)


async def account_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All accounts in order of address."""
    return [await shown(services, account) for account in await services.directory.accounts()]


async def account_show(services: Services, args: Args) -> dict[str, Any]:
    """One account; `verified` is the phone or address that it was made with by sign-up, or null,
    `second_factor` what that may be, `passkeys` their number.
    """
    account = await _account(services, args)
    sign_ups = SignUps(services.directory, services.clock)
    found = await shown(services, account)
    return found | {
        "verified": await sign_ups.target_of(account.id),
        "second_factor": list(await services.directory.second_factors.kinds(account.id)),
        "passkeys": len(await services.directory.passkeys.of(account.id)),
    }


async def account_set(services: Services, args: Args) -> dict[str, Any]:
    """Changes what is named: the quota, and what the account has of IMAP and of submission."""
    directory, store = services.directory, services.store
    account = await _account(services, args)
    mask = args.get("imap_mask")
    if mask is not None:
        _check_mask(mask)
    if mask is not None or args.get("gmail_labels") is not None:
        account = await directory.set_imap(
            account.address, mask=mask, gmail_labels=args.get("gmail_labels")
        )
    await _set_submission(services, account, args.get("submission") or {})
    await _set_notices(services, account, args.get("notify_new_device"))
    octets, messages = args.get("quota"), args.get("quota_messages")
    if octets is not None or messages is not None:
        limits = (
            account.quota_bytes if octets is None else _limit(octets),
            account.quota_messages if messages is None else _limit(messages),
        )
        await set_quota(
            directory, store, account.address, *limits, bounded=bool(args.get("bounded"))
        )
    return await shown(services, await _account(services, args))


def _check_mask(mask: Sequence[str]) -> None:
    # IMAP in full takes longer to import than all else that a command without a server needs
    from imap.masks import unknown

    if wrong := unknown(mask):
        raise OperationError(f"no IMAP capability or preset is called {wrong[0]}")


async def _set_notices(services: Services, account: Account, choice: str | None) -> None:
    if choice is not None:
        key = notify_new_device(services.settings)
        value = None if choice == "default" else choice == "on"
        await services.directory.preferences.set(account.id, key, value)


async def _set_submission(
    services: Services, account: Account, choices: Mapping[str, str | int | bool | None]
) -> None:
    """Keys are those of storage.directory_values.Submission; None goes back to the configuration's
    value, a key that is missing leaves its own.
    """
    if choices:
        changed = replace(account.submission, **choices)  # type: ignore[arg-type]
        await services.directory.set_submission(account.address, changed)


async def account_passwd(services: Services, args: Args) -> dict[str, Any]:
    """Sets a password; open sessions of the account close."""
    account = await _account(services, args)
    refuse_sourced(account)
    hashed, scram = await _secrets(services, args)
    account = await services.directory.set_password(account.address, hashed, scram)
    return await _with_strength(services, account, args)


async def _with_strength(services: Services, account: Account, args: Args) -> dict[str, Any]:
    """How hard the password is to guess, said to whom has just set it."""
    password = args.get("password")
    if password is None:
        return await shown(services, account)
    found = strength(password, (account.name, account.address))
    said = {"grade": found.grade.value, "bits": round(found.bits), "hint": found.hint}
    return await shown(services, account) | {"password": said}


async def account_disable(services: Services, args: Args) -> dict[str, Any]:
    """Refuses logins and mail; open sessions close."""
    return await shown(services, await services.directory.set_enabled(args["address"], False))


async def account_enable(services: Services, args: Args) -> dict[str, Any]:
    """Undoes account_disable; what its source says of it stays in force."""
    account = await services.directory.set_enabled(args["address"], True)
    if account.absent:
        raise OperationError(
            f"{account.address} is enabled here, but gone or disabled in the account source "
            f"{account.source!r}"
        )
    return await shown(services, account)


async def account_delete(services: Services, args: Args) -> dict[str, Any]:
    """Removes an account and its mailboxes; the store keeps its message files for a while.

    Disabled first, so that nobody is logged in or delivers while the mailboxes go.
    """
    account = await _account(services, args)
    found = await shown(services, account)
    await services.directory.set_enabled(account.address, False)
    try:
        await services.store.remove_account(account.id)
    except NoSuchAccount:
        pass  # removed by an attempt that was killed
    await services.learned.forget(account.id, gone=True)
    await services.auto_tags.keep(account.id, (), services.clock.now())
    await services.directory.delete_account(account.address)
    return found


async def settle_accounts(services: Services) -> None:
    """At start: gives mailboxes to accounts that were killed half made, and the store the limits
    that the directory holds.
    """
    for account in await services.directory.accounts():
        limits = (account.quota_bytes, account.quota_messages)
        try:
            usage = await services.store.usage(account.id)
        except NoSuchAccount:
            await services.store.add_account(
                account.id, limit_bytes=limits[0], limit_messages=limits[1]
            )
            continue
        if (usage.limit_bytes, usage.limit_messages) != limits:
            await services.store.set_limits(account.id, *limits)


async def _account(services: Services, args: Args) -> Account:
    try:
        account = await services.directory.own(parse_mailbox(args["address"]))
    except AddressError:
        account = None
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account


async def _secrets(services: Services, args: Args) -> tuple[str, str]:
    """What is stored of `password`: its hash, and its keys for SCRAM. Of `password_hash`, which
    another server made, the keys come with the first login. Raises OperationError, also when who
    asks may do it no more: a hash may take a while.
    """
    try:
        if args.get("password_hash"):
            return imported_hash(args["password_hash"]), ""
        password = args["password"]
        check_password(password)
        hashed = await services.auth.hash_password(password)
        scram = await services.auth.scram_for(args["address"], password)
    except PasswordError as error:
        raise OperationError(str(error)) from error
    except Busy as error:
        raise OperationError("too many logins are waiting; try again") from error
    if callable(again := args.get("again")):
        await again()
    return hashed, scram


def _limit(value: Any) -> int:
    """A number of octets or messages, 0 for no limit. Raises OperationError."""
    number = int(value)
    if not 0 <= number <= MOST:
        raise OperationError(f"a limit is a number from 0 to {MOST}")
    return number


async def shown(services: Services, account: Account) -> dict[str, Any]:
    """An account as commands show it."""
    try:
        usage = await services.store.usage(account.id)
    except NoSuchAccount:
        usage = NO_USAGE
    return {
        "address": account.address,
        "name": account.name,
        "enabled": account.enabled,
        "admin": account.admin,
        "source": account.source,
        "role": role_of(account).value,
        "administers": list(account.administers),
        "quota": account.quota_bytes,
        "used": usage.bytes,
        "messages": usage.messages,
        "quota_messages": account.quota_messages,
        "imap_mask": list(account.imap_mask),
        "gmail_labels": account.gmail_labels,
        "submission": {
            name: value for name, value in asdict(account.submission).items() if value is not None
        },
        "maildir": str(services.store.maildir(account.id)),
    }
