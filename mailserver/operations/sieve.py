"""`mailserver sieve ...`: the Sieve scripts of an account.

A script is {name,size,active,changed}: `size` in octets, `changed` RFC 3339.
"""

from collections.abc import Mapping
from typing import Any

from config.clock import rfc3339
from filters.scripts import BadScript, language
from mailserver.operations.errors import Missing, OperationError
from mailserver.services import Services
from net.threads import Busy
from storage.directory_values import Absent, Account
from storage.script_values import Script, ScriptLine

Args = Mapping[str, Any]


async def sieve_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """All of the account, by name."""
    account = await account_of(services, args)
    return [shown(one) for one in await services.directory.scripts.listed(account.id)]


async def sieve_show(services: Services, args: Args) -> dict[str, Any]:
    """One with its `text`; without `name` the active one."""
    account, scripts = await account_of(services, args), services.directory.scripts
    if args.get("name"):
        found = await scripts.get(account.id, str(args["name"]))
    else:
        active = await scripts.active(account.id)
        if active is None:
            raise Missing(f"no script of {account.address} is active")
        found = active
    return {**shown(found), "text": found.text.decode("utf-8", "replace")}


async def sieve_put(services: Services, args: Args) -> dict[str, Any]:
    """Stores `text` as `name`, and with `activate` makes it active. A script with a mistake in it
    changes nothing.
    """
    account, scripts = await account_of(services, args), services.directory.scripts
    name, text = str(args["name"]), str(args["text"]).encode("utf-8", "surrogateescape")
    await scripts.check_room(account.id, name, len(text))
    await checked(services, text)
    await scripts.put(account.id, name, text)
    if args.get("activate"):
        await scripts.activate(account.id, name)
    return shown(await scripts.get(account.id, name))


async def sieve_activate(services: Services, args: Args) -> dict[str, Any]:
    """The script that runs from here on."""
    account, scripts = await account_of(services, args), services.directory.scripts
    await scripts.activate(account.id, str(args["name"]))
    return shown(await scripts.get(account.id, str(args["name"])))


async def sieve_deactivate(services: Services, args: Args) -> None:
    """No script runs any more."""
    account = await account_of(services, args)
    await services.directory.scripts.activate(account.id, "")


async def sieve_rename(services: Services, args: Args) -> dict[str, Any]:
    """Gives `name` the name `new`."""
    account, scripts = await account_of(services, args), services.directory.scripts
    await scripts.rename(account.id, str(args["name"]), str(args["new"]))
    return shown(await scripts.get(account.id, str(args["new"])))


async def sieve_delete(services: Services, args: Args) -> None:
    """Not the active one."""
    account = await account_of(services, args)
    await services.directory.scripts.delete(account.id, str(args["name"]))


async def checked(services: Services, text: bytes) -> None:
    """Raises OperationError with every mistake of a script."""
    try:
        await language(services.offload).check(text)
    except BadScript as error:
        raise OperationError("; ".join(str(error).splitlines())) from None
    except Busy:
        raise OperationError("the server is busy; try again") from None


async def account_of(services: Services, args: Args) -> Account:
    """Raises Absent."""
    account = await services.directory.account(str(args["address"]))
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account


def shown(one: Script | ScriptLine) -> dict[str, Any]:
    return {
        "name": one.name,
        "size": one.size if isinstance(one, ScriptLine) else len(one.text),
        "active": one.active,
        "changed": rfc3339(one.changed),
    }
