"""`mailserver contact ...`: the address books of an account, and whom it wrote to.

A contact is {id,name,emails,groups}, a correspondent {address,count,first,last}, times RFC 3339.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from message.jscontact import Card, emails_of, full_name, kind_of, members_of, uid_key
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


def _shown(number: int, card: Card, groups: Sequence[str]) -> dict[str, Any]:
    return {
        "id": number,
        "name": full_name(card),
        "emails": list(emails_of(card)),
        "groups": list(groups),
    }
