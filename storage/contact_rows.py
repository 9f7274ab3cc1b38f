"""The statements of address books: rows of config.db in, values out, one connection each.

Who may call when is storage/contacts.py.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_user_tables import contact_group, contact_member, person, person_email
from storage.contact_values import (
    TEXTS,
    ContactExists,
    Email,
    Group,
    NoSuchContact,
    Person,
    TooManyContacts,
)
from storage.directory_names import address_key
from storage.values import AccountId

# Below the number of parameters that any SQLite takes in one statement (999).
_BATCH = 400
_p, _e, _g = person.c, person_email.c, contact_group.c


async def people_of(
    at: AsyncConnection, where: ColumnElement[bool], emails: ColumnElement[bool]
) -> list[Person]:
    """In order of id; `emails` says which addresses are theirs."""
    rows = (await at.execute(select(person).where(where).order_by(_p.id))).all()
    order = select(_e.person, _e.address, _e.label).where(emails).order_by(_e.position)
    held: dict[int, list[Email]] = {}
    for number, address, label in await at.execute(order):
        held.setdefault(number, []).append(Email(address, label))
    return [_person_of(row, tuple(held.get(row.id, ()))) for row in rows]


def _person_of(row: Any, emails: tuple[Email, ...]) -> Person:
    texts = {name: getattr(row, name) for name in TEXTS}
    return Person(
        **texts,
        emails=emails,
        more=tuple(json.loads(row.more)),
        uid=row.uid,
        id=row.id,
        created=row.created,
        changed=row.changed,
    )


def columns_of(made: Person) -> dict[str, Any]:
    texts = {name: getattr(made, name) for name in TEXTS}
    return {**texts, "uid": made.uid, "more": json.dumps(made.more), "changed": made.changed}


def absent(number: int) -> NoSuchContact:
    return NoSuchContact(f"There is no contact {number}")


async def write_emails(at: AsyncConnection, account: AccountId, made: Person) -> None:
    if made.emails:
        rows = [
            {
                "account": account,
                "person": made.id,
                "position": position,
                "key": address_key(one.address),
                "address": one.address,
                "label": one.label,
            }
            for position, one in enumerate(made.emails)
        ]
        await at.execute(insert(person_email).values(rows))


async def write_members(at: AsyncConnection, account: AccountId, made: Group) -> Group:
    members = sorted(set(made.members))
    for some in batches(members):
        mine = select(func.count()).where(_p.account == account, _p.id.in_(some))
        if (await at.execute(mine)).scalar_one() != len(some):
            raise NoSuchContact("A member of the group is no contact")
        await at.execute(
            insert(contact_member).values([{"group": made.id, "person": one} for one in some])
        )
    return replace(made, members=tuple(members))


def batches(numbers: list[int]) -> Iterable[list[int]]:
    """Few enough for one statement."""
    return (numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH))


async def refuse_known(at: AsyncConnection, table: Table, account: AccountId, uid: str) -> None:
    where = (table.c.account == account, table.c.uid == uid)
    if (await at.execute(select(table.c.id).where(*where))).first() is not None:
        raise ContactExists(f"There is a contact with the UID {uid} already")


async def refuse_name(at: AsyncConnection, account: AccountId, made: Group) -> None:
    where = (_g.account == account, _g.name == made.name, _g.id != made.id)
    if (await at.execute(select(_g.id).where(*where))).first() is not None:
        raise ContactExists(f"There is a group {made.name!r} already")


async def refuse_more(at: AsyncConnection, table: Table, account: AccountId, limit: int) -> None:
    query = select(func.count()).select_from(table).where(table.c.account == account)
    if (await at.execute(query)).scalar_one() >= limit:
        raise TooManyContacts(f"An account has at most {limit}")
