"""`mailserver contact ...`: the address books of an account, and whom it wrote to.

A contact is {id,name,emails,groups}, a correspondent {address,count,first,last}, times RFC 3339.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from message.jscontact import Card, emails_of, full_name, kind_of, members_of, uid_key
from storage.contact_exchange import MAX_FILE, ContactExchange, Format
from storage.contact_service import ContactService

Args = Mapping[str, Any]


def service_of(services: Services) -> ContactService:
    return ContactService(services.directory.contacts, services.offload)


async def contact_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """All people, by name."""
    account = await account_of(services, args)
    people: list[tuple[int, Card]] = []
    groups: list[Card] = []
    async for stored in services.directory.contacts.cards.stored(account.id):
        card = stored.content.card()
        if kind_of(card) == "group":
            groups.append(card)
        else:
            people.append((stored.listed.id, card))
    held: dict[str, list[str]] = {}
    for group in sorted(groups, key=full_name):
        for uid in members_of(group):
            held.setdefault(uid_key(uid), []).append(full_name(group))
    people.sort(key=lambda one: (full_name(one[1]).casefold(), one[0]))
    return [
        _shown(number, card, held.get(uid_key(str(card["uid"])), ())) for number, card in people
    ]


async def contact_written(services: Services, args: Args) -> list[dict[str, Any]]:
    """Whom the account wrote to, the last first."""
    account = await account_of(services, args)
    return [
        {
            "address": one.address,
            "count": one.count,
            "first": rfc3339(one.first),
            "last": rfc3339(one.last),
        }
        for one in await services.directory.contacts.correspondents.listed(account.id)
    ]


async def contact_add(services: Services, args: Args) -> dict[str, Any]:
    """The person with the address `email`, made if there is none, gets `name` and is put into
    `groups`, which are made too.
    """
    account = await account_of(services, args)
    service, email = service_of(services), str(args["email"])
    stored = await service.add_address(account.id, email, str(args.get("name") or ""))
    for group in args.get("groups") or ():
        await service.join(account.id, str(group), [stored.listed.uid])
    relation = await services.directory.contacts.relation(account.id, email)
    return _shown(stored.listed.id, stored.content.card(), sorted(relation.groups))


async def contact_delete(services: Services, args: Args) -> None:
    """The person with the address `email`; or the group `group`, whose people stay."""
    account = await account_of(services, args)
    contacts = services.directory.contacts
    if args.get("group"):
        found = await contacts.group_named(account.id, str(args["group"]))
        await contacts.cards.delete_id(account.id, found.id)
        return
    people = await contacts.with_address(account.id, str(args["email"]))
    if not people:
        raise OperationError(f"no contact has the address {args['email']}")
    await contacts.cards.delete_id(account.id, people[0].id)


async def contact_books(services: Services, args: Args) -> list[dict[str, Any]]:
    """The address books of an account."""
    account = await account_of(services, args)
    return [
        {"id": one.id, "name": one.name, "cards": one.cards, "default": one.standard}
        for one in await services.directory.contacts.books.all(account.id)
    ]


async def contact_import(services: Services, args: Args) -> dict[str, int]:
    """The file `path`, vCard or CSV, into the default book."""
    account = await account_of(services, args)
    book = await services.directory.contacts.books.default(account.id)
    try:
        data = await services.offload.disk(_read, Path(args["path"]))
    except OSError as error:
        raise OperationError(f"{args['path']} cannot be read: {error.strerror}") from error
    return asdict(await _exchange(services).read(account.id, book.id, data))


async def contact_export(services: Services, args: Args) -> None:
    """All cards into the new file `path`, in `format`."""
    account = await account_of(services, args)
    try:
        kind = Format(str(args.get("format") or "vcard"))
    except ValueError:
        raise OperationError("the format is vcard, google or outlook") from None
    data = await _exchange(services).write(account.id, kind)
    try:
        await services.offload.disk(_write, Path(args["path"]), data)
    except OSError as error:
        raise OperationError(f"{args['path']} cannot be written: {error.strerror}") from error


async def contact_duplicates(services: Services, args: Args) -> list[dict[str, Any]]:
    """Contacts that seem to be one person; with `merge` they become one."""
    account = await account_of(services, args)
    exchange, found = _exchange(services), []
    for ids in await exchange.duplicates(account.id):
        cards = await services.directory.contacts.cards.by_id(account.id, ids)
        found.append({"ids": ids, "names": [one.listed.name for one in cards]})
        if args.get("merge"):
            await exchange.merge(account.id, ids)
    return found


async def contact_collect(services: Services, args: Args) -> dict[str, int]:
    """Whom the account wrote to, and who is in no book, goes into the book "Seen"."""
    account = await account_of(services, args)
    return {"added": await _exchange(services).collect(account.id)}


async def contact_complete(services: Services, args: Args) -> list[dict[str, Any]]:
    """Addresses by what is typed of them or of a name."""
    account = await account_of(services, args)
    found = await services.directory.contacts.complete(account.id, str(args["text"]))
    return [{"name": one.name, "address": one.address, "written": one.written} for one in found]


async def contact_versions(services: Services, args: Args) -> list[dict[str, Any]]:
    """What changes replaced or removed, the last first."""
    account = await account_of(services, args)
    return [
        {
            "id": one.id,
            "contact": one.card,
            "name": full_name(one.content.card()),
            "replaced": rfc3339(one.replaced),
        }
        for one in await services.directory.contacts.cards.replaced(account.id, 0)
    ]


async def contact_restore(services: Services, args: Args) -> None:
    """The contact is again what it was in the version `version`."""
    account = await account_of(services, args)
    await service_of(services).restore(account.id, int(args["version"]))


def _exchange(services: Services) -> ContactExchange:
    return ContactExchange(service_of(services), services.offload)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _shown(number: int, card: Card, groups: Sequence[str]) -> dict[str, Any]:
    return {
        "id": number,
        "name": full_name(card),
        "emails": list(emails_of(card)),
        "groups": list(groups),
    }
