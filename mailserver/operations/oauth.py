"""`mailserver oauth ...`: clients of the issuer, and what accounts have allowed them.

A client is shown as {id, name, confidential, redirects, scopes, introspects, registered, origin,
created}, what makes one shows its `secret` too, once, null for a public one; a consent as {account,
client, name, scopes, given}. Times are RFC 3339.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from auth.oauth.provider import Provider
from auth.oauth.scopes import MEANING
from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.directory_values import Absent
from storage.oauth_clients import OAuthClient

Args = Mapping[str, Any]


async def client_add(services: Services, args: Args) -> dict[str, Any]:
    """Makes one; its secret is shown this once."""
    made, secret = await _provider(services).clients.add(
        str(args["name"]),
        tuple(args.get("redirects") or ()),
        _scopes(args.get("scopes") or ()),
        number=str(args.get("id") or ""),
        confidential=bool(args.get("confidential")),
        introspects=bool(args.get("introspects")),
    )
    return _shown(made) | {"secret": secret or None}


async def client_list(services: Services, _args: Args) -> list[dict[str, Any]]:
    """All of them, those of the configuration first."""
    return [_shown(one) for one in await _provider(services).clients.listed()]


async def client_delete(services: Services, args: Args) -> dict[str, Any]:
    """Removes one, and ends what accounts have allowed it."""
    provider, number = _provider(services), str(args["id"])
    found = await provider.clients.find(number)
    if found is not None and found.origin == "configuration":
        raise OperationError(f"{number} stands in the configuration: take it out there")
    gone = await provider.clients.stored.remove(number)
    await provider.tokens.end_client(gone.id)
    return _shown(gone)


async def consent_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Of the account `address`, else of all."""
    provider = _provider(services)
    addresses = {one.id: one.address for one in await services.directory.accounts()}
    owner = None
    if args.get("address"):
        account = await services.directory.account(args["address"])
        if account is None:
            raise Absent(f"There is no account {args['address']}")
        owner = account.id
    found = []
    for one in await provider.clients.stored.consents(owner):
        client = await provider.clients.find(one.client)
        found.append(
            {
                "account": addresses.get(one.account, ""),
                "client": one.client,
                "name": client.name if client else "",
                "scopes": list(one.scopes),
                "given": rfc3339(one.given),
            }
        )
    return found


async def consent_revoke(services: Services, args: Args) -> dict[str, Any]:
    """Takes back what an account has allowed a client, with its tokens and connections."""
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    ended = await _provider(services).tokens.withdraw(account, str(args["client"]))
    if not ended:
        raise Absent(f"{account.address} has allowed {args['client']} nothing")
    return {"account": account.address, "client": args["client"]}


def _provider(services: Services) -> Provider:
    return Provider(
        services.settings, services.directory, services.auth, services.offload, services.clock
    )


def _scopes(names: Sequence[str]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in MEANING]:
        raise OperationError(f"there is no scope {unknown[0]}; scopes are {', '.join(MEANING)}")
    return tuple(name for name in MEANING if name in names)


def _shown(one: OAuthClient) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "confidential": one.secret is not None,
        "redirects": list(one.redirects),
        "scopes": list(one.scopes),
        "introspects": one.introspects,
        "registered": one.registered,
        "origin": one.origin,
        "created": rfc3339(one.created) if one.created else None,
    }
