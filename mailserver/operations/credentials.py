"""`mailserver account app-password ...` and `mailserver token ...`.

Shown as {id, account, kind, name, protocols, read_only, draft_only, folders, senders, networks,
rate, preset, created, expires, last_used, last_address, last_protocol}; times RFC 3339, `expires`
and what is about the last use null when there is none. What makes one shows its `secret` too, once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from auth.grant import shown_protocols
from auth.issuing import AGENT_RATE, OF_AGENTS
from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.credential_values import (
    ALL_PROTOCOLS,
    Credential,
    CredentialId,
    CredentialKind,
    Protocol,
    Terms,
)
from storage.directory_values import Absent, Account
from storage.names import normal

Args = Mapping[str, Any]
_OF_MAIL: Final = ALL_PROTOCOLS - {Protocol.WEB}
_TOKENS: Final = tuple(kind for kind in CredentialKind if kind is not CredentialKind.APP_PASSWORD)


async def app_password_add(services: Services, args: Args) -> dict[str, Any]:
    """Makes an app password of an account."""
    return await _add(services, args, CredentialKind.APP_PASSWORD)


async def app_password_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Those of an account."""
    account = await _account(services, args)
    found = await services.directory.credentials.of(account.id, CredentialKind.APP_PASSWORD)
    return [_shown(one, account.address) for one in found]


async def token_add(services: Services, args: Args) -> dict[str, Any]:
    """Makes a token of an account, or with `agent` one that reads and drafts."""
    kind = CredentialKind.AGENT if args.get("agent") else CredentialKind.TOKEN
    return await _add(services, args, kind)


async def token_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Tokens and sessions of an account, without `address` those of all."""
    credentials = services.directory.credentials
    if args.get("address"):
        account = await _account(services, args)
        return [_shown(one, account.address) for one in await credentials.of(account.id, *_TOKENS)]
    addresses = {one.id: one.address for one in await services.directory.accounts()}
    return [
        _shown(one, addresses.get(one.account, "")) for one in await credentials.every(*_TOKENS)
    ]


async def credential_revoke(services: Services, args: Args) -> dict[str, Any]:
    """Ends one of an account's, whatever its kind; connections that it opened close."""
    account = await _account(services, args)
    gone = await services.auth.issuer.revoke(account, CredentialId(int(args["id"])))
    return _shown(gone, account.address)


async def token_revoke_all(services: Services, args: Args) -> list[dict[str, Any]]:
    """Ends all tokens and sessions of an account, with their connections."""
    return await _end_all(services, args, _TOKENS)


async def app_password_revoke_all(services: Services, args: Args) -> list[dict[str, Any]]:
    """The same of its app passwords."""
    return await _end_all(services, args, (CredentialKind.APP_PASSWORD,))


async def _end_all(
    services: Services, args: Args, kinds: Sequence[CredentialKind]
) -> list[dict[str, Any]]:
    account, gone = await _account(services, args), []
    for one in await services.directory.credentials.of(account.id, *kinds):
        try:
            gone.append(await services.auth.issuer.revoke(account, one.id))
        except Absent:
            continue  # revoked or spent meanwhile
    return [_shown(one, account.address) for one in gone]


async def _add(services: Services, args: Args, kind: CredentialKind) -> dict[str, Any]:
    account = await _account(services, args)
    terms = _terms(args, kind)
    made = await services.auth.issuer.make(
        account, kind, args["name"], terms, expires=args.get("expires")
    )
    return _shown(made.credential, account.address) | {"secret": made.secret}


def _terms(args: Args, kind: CredentialKind) -> Terms:
    agent = kind is CredentialKind.AGENT
    preset = args.get("preset") or ""
    if preset:
        _check_preset(preset)
    return Terms(
        _protocols(args.get("protocols") or (), OF_AGENTS if agent else _OF_MAIL),
        read_only=bool(args.get("read_only")),
        draft_only=agent,
        folders=tuple(normal(name) for name in args.get("folders") or ()),
        senders=tuple(args.get("senders") or ()),
        networks=tuple(args.get("networks") or ()),
        rate=int(args.get("rate") or (AGENT_RATE if agent else 0)),
        preset=preset,
    )


def _protocols(names: Sequence[str], default: frozenset[Protocol]) -> frozenset[Protocol]:
    if not names:
        return default
    try:
        return frozenset(map(Protocol, names))
    except ValueError:
        known = ", ".join(shown_protocols(Protocol))
        raise OperationError(f"protocols are {known}") from None


def _check_preset(preset: str) -> None:
    # IMAP in full takes longer to import than all else that a command without a server needs
    from imap.masks import unknown

    if unknown([preset]):
        raise OperationError(f"no IMAP capability or preset is called {preset}")


async def _account(services: Services, args: Args) -> Account:
    account = await services.directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    return account


def _shown(one: Credential, address: str) -> dict[str, Any]:
    terms, used = one.terms, one.used
    return {
        "id": one.id,
        "account": address,
        "kind": one.kind.value,
        "name": one.name,
        "protocols": shown_protocols(terms.protocols),
        "read_only": terms.read_only,
        "draft_only": terms.draft_only,
        "folders": list(terms.folders),
        "senders": list(terms.senders),
        "networks": list(terms.networks),
        "rate": terms.rate,
        "preset": terms.preset,
        "created": rfc3339(one.created),
        "expires": None if one.expires is None else rfc3339(one.expires),
        "last_used": None if used is None else rfc3339(used.at),
        "last_address": None if used is None else used.address,
        "last_protocol": None if used is None else used.protocol,
    }
