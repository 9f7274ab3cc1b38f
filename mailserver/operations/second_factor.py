"""`mailserver account second-factor ...`: {address, on, kinds, since, phone, recovery_codes}:
`kinds` are of totp, sms, passkey and recovery_code, `since` is when TOTP was switched
on, the last says how many codes are left. Keys and recovery codes are in the answers of what makes
them, and nowhere else.
"""

from collections.abc import Mapping
from typing import Any

from auth.caller import Caller
from auth.service import Problem
from auth.sms_codes import confirm_sms, remove_sms
from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.credential_values import Protocol
from storage.directory_values import Absent, Account
from storage.sign_ups import SignUps

Args = Mapping[str, Any]


async def factor_show(services: Services, args: Args) -> dict[str, Any]:
    """Whether there is one, and what it may be."""
    account = await _account(services, args)
    directory = services.directory
    found = await directory.second_factors.of(account.id)
    kinds = await directory.second_factors.kinds(account.id)
    phone = await directory.sms_factors.of(account.id)
    since = None if found is None else found.confirmed
    return {
        "address": account.address,
        "on": bool(kinds),
        "kinds": list(kinds),
        "since": None if since is None else rfc3339(since),
        "phone": None if phone is None or phone.confirmed is None else phone.phone,
        "recovery_codes": await directory.second_factors.codes_left(account.id),
    }


async def factor_begin(services: Services, args: Args) -> dict[str, Any]:
    """A key for an authenticator app; nothing changes before its first code."""
    account = await _account(services, args)
    begun = await services.auth.second_factor.begin(account, services.settings.hostname)
    return {"address": account.address, "key": begun.key, "uri": begun.uri}


async def factor_confirm(services: Services, args: Args) -> dict[str, Any]:
    """Switches it on by a code of the app; open connections of the account close."""
    account = await _account(services, args)
    codes = await services.auth.second_factor.confirm(account, str(args["code"]))
    return {"address": account.address, "codes": codes}


async def factor_codes(services: Services, args: Args) -> dict[str, Any]:
    """Other recovery codes."""
    account = await _account(services, args)
    return {"address": account.address, "codes": await services.auth.second_factor.renew(account)}


async def factor_remove(services: Services, args: Args) -> dict[str, Any]:
    """The password alone is enough again."""
    account = await _account(services, args)
    if not await services.auth.second_factor.remove(account):
        raise Absent(f"{account.address} has no second factor")
    return await factor_show(services, args)


async def sms_begin(services: Services, args: Args) -> dict[str, Any]:
    """Sends a first code to a phone; without `phone` to the one that the account was made with."""
    account = await _account(services, args)
    if services.server is None:
        raise OperationError("codes are sent by the running server: start it first")
    phone = args.get("phone")
    if not phone:
        made_with = await SignUps(services.directory, services.clock).target_of(account.id)
        phone = made_with if made_with is not None and made_with.startswith("+") else None
    if not phone:
        raise OperationError("the account was not made with a phone: give one by --phone")
    try:
        number = await services.server.sms_factor.begin(account, phone, Caller("", Protocol.WEB))
    except Problem as problem:
        raise OperationError(str(problem)) from problem
    return {"address": account.address, "phone": number}


async def sms_confirm(services: Services, args: Args) -> dict[str, Any]:
    """Switches it on by that code; with an account's first second factor recovery codes come."""
    account = await _account(services, args)
    codes = await confirm_sms(services.directory, services.auth.audit, account, str(args["code"]))
    return {"address": account.address, "codes": codes}


async def sms_remove(services: Services, args: Args) -> dict[str, Any]:
    """No more codes by SMS."""
    account = await _account(services, args)
    await remove_sms(services.directory, services.auth.audit, account)
    return await factor_show(services, args)


async def _account(services: Services, args: Args) -> Account:
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account
