"""`mailserver contact ...`: the address book of an account, and whom it wrote to.

A contact is {id,name,emails,groups}, a correspondent {address,count,first,last}, times RFC 3339.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.clock import rfc3339
from mailserver.operations.errors import OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from storage.contact_values import Email, Group, NoSuchContact, Person
from storage.values import AccountId

Args = Mapping[str, Any]


async def contact_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """All people, by name."""
    account = await account_of(services, args)
    book = services.directory.contacts
    groups = await book.groups(account.id)
    people = sorted(await book.people(account.id), key=lambda one: (one.name.casefold(), one.id))
    held: dict[int, list[str]] = {}
    for group in groups:
        for number in group.members:
            held.setdefault(number, []).append(group.name)
    return [_shown(one, held.get(one.id, ())) for one in people]


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
    book, email, name = services.directory.contacts, str(args["email"]), str(args.get("name") or "")
    found = await book.with_address(account.id, email)
    if found is None:
        found = await book.add(account.id, Person(name, (Email(email),)))
    elif name and name != found.name:
        found = await book.change(account.id, replace(found, name=name))
    for group in args.get("groups") or ():
        await _join(services, account.id, str(group), found.id)
    groups = await book.groups(account.id)
    return _shown(found, [group.name for group in groups if found.id in group.members])


async def contact_delete(services: Services, args: Args) -> None:
    """The person with the address `email`; or the group `group`, whose people stay."""
    account = await account_of(services, args)
    book = services.directory.contacts
    if args.get("group"):
        found = await book.group_named(account.id, str(args["group"]))
        await book.delete_group(account.id, found.id)
        return
    person = await book.with_address(account.id, str(args["email"]))
    if person is None:
        raise OperationError(f"no contact has the address {args['email']}")
    await book.delete(account.id, person.id)


async def _join(services: Services, account: AccountId, name: str, person: int) -> None:
    book = services.directory.contacts
    try:
        group = await book.group_named(account, name)
    except NoSuchContact:
        await book.add_group(account, Group(name, (person,)))
        return
    if person not in group.members:
        await book.change_group(account, replace(group, members=(*group.members, person)))


def _shown(one: Person, groups: Sequence[str]) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "emails": [email.address for email in one.emails],
        "groups": list(groups),
    }
