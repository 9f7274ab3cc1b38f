"""`mailserver account sending ...`: who sends for whom.

Shown as {owner, delegate, on_behalf, created}.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from mailserver.services import Services
from storage.audit_values import Kind
from storage.delegations import Delegation
from storage.directory_values import Absent, Account

Args = Mapping[str, Any]


async def sending_allow(services: Services, args: Args) -> dict[str, Any]:
    """Lets `delegate` send as `owner`, or with `on_behalf` named in Sender."""
    owner, delegate = await _both(services, args)
    on_behalf = bool(args.get("on_behalf"))
    made = await services.directory.delegations.allow(owner.id, delegate.id, on_behalf=on_behalf)
    how = "on behalf of" if on_behalf else "as"
    _record(services, owner, delegate, f"may send {how}", args)
    return _shown(made, {owner.id: owner.address, delegate.id: delegate.address})


async def sending_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Of the account `owner`, else of all."""
    owner = await _account(services, args["owner"]) if args.get("owner") else None
    found = await services.directory.delegations.of_owner(None if owner is None else owner.id)
    names: dict[int, str] = {}
    for number in {each for one in found for each in (one.owner, one.delegate)}:
        account = await services.directory.account_by_id(number)
        names[number] = "" if account is None else account.address
    return [_shown(one, names) for one in found]


async def sending_revoke(services: Services, args: Args) -> dict[str, Any]:
    """`delegate` sends for `owner` no more, from its next message on."""
    owner, delegate = await _both(services, args)
    await services.directory.delegations.revoke(owner.id, delegate.id)
    _record(services, owner, delegate, "no longer sends as", args)
    return {"owner": owner.address, "delegate": delegate.address}


async def _both(services: Services, args: Args) -> tuple[Account, Account]:
    return await _account(services, args["owner"]), await _account(services, args["delegate"])


async def _account(services: Services, address: str) -> Account:
    account = await services.directory.account(address)
    if account is None:
        raise Absent(f"There is no account {address}")
    return account


def _record(services: Services, owner: Account, delegate: Account, what: str, args: Args) -> None:
    """In the audit log of both."""
    by = f", by {args['by']}" if args.get("by") else ""
    detail = f"{delegate.address} {what} {owner.address}{by}"
    for account in (owner, delegate):
        services.auth.audit.record(Kind.RIGHTS, account.id, account.address, detail=detail)


def _shown(one: Delegation, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "owner": names[one.owner],
        "delegate": names[one.delegate],
        "on_behalf": one.on_behalf,
        "created": rfc3339(one.created),
    }
