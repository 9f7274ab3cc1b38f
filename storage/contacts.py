"""Address books: people with their addresses, and groups of people, rows of config.db by account.

Invariants: a change is one transaction with its rows of the journal, committed, then seen by
look-ups; an account has no more than contact_values' bounds; what an account has to do with an
address is looked up without SQL once it is known.
"""

import uuid
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from cachetools import LRUCache
from sqlalchemy import ColumnElement, delete, func, insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, modseq_of, note
from storage.config_user_tables import contact_group, contact_member, person, person_email
from storage.contact_rows import (
    absent,
    batches,
    columns_of,
    people_of,
    refuse_known,
    refuse_more,
    refuse_name,
    write_emails,
    write_members,
)
from storage.contact_values import (
    MAX_GROUPS,
    MAX_PEOPLE,
    Group,
    NoSuchContact,
    Person,
    Relation,
    check_group,
    check_person,
)
from storage.correspondents import Correspondents
from storage.directory_names import address_key
from storage.values import AccountId

P = ParamSpec("P")
T = TypeVar("T")
IN_MEMORY = 50_000
_p, _e, _g, _m = person.c, person_email.c, contact_group.c, contact_member.c


def _change(
    method: Callable[Concatenate["Contacts", AccountId, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Contacts", AccountId, P], Coroutine[Any, Any, T]]:
    """The method, not interrupted when its caller is cancelled; what was looked up is forgotten."""

    async def run(self: "Contacts", account: AccountId, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(self, account, *args, **kwargs)
        finally:
            self.changes += 1
            self._relations.clear()

    @wraps(method)
    async def finished(
        self: "Contacts", account: AccountId, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._database.finish(run(self, account, *args, **kwargs))

    return finished


class Contacts:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._relations: LRUCache[tuple[AccountId, str], Relation] = LRUCache(IN_MEMORY)
        self.correspondents = Correspondents(database, clock)
        self.changes = 0

    def forget(self, account: AccountId) -> None:
        """The account is gone."""
        self.changes += 1
        self._relations.clear()
        self.correspondents.forget(account)

    # Looking up.

    async def relation(self, account: AccountId, address: str) -> Relation:
        """What the account has to do with an address: contact, member of groups, correspondent."""
        key = address_key(address)
        if not key:
            return Relation()
        found = self._relations.get((account, key))
        if found is None:
            before = self.changes
            found = await self._database.finish(self._relation(account, key))
            if before == self.changes:
                self._relations[account, key] = found
        written = await self.correspondents.get(account, address)
        if written is None:
            return found
        return replace(found, written=written.count, last=written.last)

    async def _relation(self, account: AccountId, key: str) -> Relation:
        mine = (_e.account == account) & (_e.key == key)
        groups = (
            select(_g.name)
            .join(contact_member, _m.group == _g.id)
            .join(person_email, _e.person == _m.person)
            .where(mine, _g.account == account)
        )
        async with self._database.reading() as at:
            if (await at.execute(select(_e.person).where(mine).limit(1))).first() is None:
                return Relation()
            return Relation(True, frozenset((await at.execute(groups)).scalars()))

    async def addresses(self, account: AccountId, group: str | None = None) -> list[str]:
        """The addresses of a group, or of all people; the first of each person. Raises
        NoSuchContact.
        """
        query = select(_e.person, _e.address).where(_e.account == account, _e.position == 0)
        if group is not None:
            found = await self.group_named(account, group)
            query = query.join(contact_member, _m.person == _e.person).where(_m.group == found.id)
        rows = await self._database.finish(self._rows(query.order_by(_e.person)))
        return list(dict.fromkeys(row.address for row in rows))

    # People.

    async def people(self, account: AccountId) -> list[Person]:
        """In order of id."""
        return await self._database.finish(self._everybody(account))

    async def with_address(self, account: AccountId, address: str) -> Person | None:
        """The first who has it."""
        mine = (_e.account == account) & (_e.key == address_key(address))
        first = select(func.min(_e.person)).where(mine).scalar_subquery()
        where = (_p.account == account) & (_p.id == first)
        found = await self._database.finish(self._people(where, _e.person == first))
        return found[0] if found else None

    async def person(self, account: AccountId, number: int) -> Person:
        """Raises NoSuchContact."""
        where = (_p.account == account) & (_p.id == number)
        found = await self._database.finish(self._people(where, _e.person == number))
        if not found:
            raise absent(number)
        return found[0]

    async def _everybody(self, account: AccountId) -> list[Person]:
        """In pieces, so that nothing else waits for a large book."""
        async with self._database.reading() as at:
            ids = (await at.execute(select(_p.id).where(_p.account == account))).scalars().all()
            found: list[Person] = []
            for some in batches(sorted(ids)):
                found += await people_of(at, _p.id.in_(some), _e.person.in_(some))
        return found

    async def _people(
        self, where: ColumnElement[bool], emails: ColumnElement[bool]
    ) -> list[Person]:
        async with self._database.reading() as at:
            return await people_of(at, where, emails)

    @_change
    async def add(self, account: AccountId, made: Person) -> Person:
        """The person as it was stored. Raises BadContact, ContactExists, TooManyContacts,
        NoSuchAccount.
        """
        check_person(made)
        now = self._clock.now()
        made = replace(made, uid=made.uid or str(uuid.uuid4()), created=now, changed=now)
        async with self._database.writing() as at:
            await modseq_of(at, account)
            await refuse_known(at, person, account, made.uid)
            await refuse_more(at, person, account, MAX_PEOPLE)
            values = {"account": account, "created": now, **columns_of(made)}
            result = await at.execute(insert(person).values(values).returning(_p.id))
            made = replace(made, id=result.scalar_one())
            await write_emails(at, account, made)
            await note(at, account, [Change(Kind.PERSON, How.CREATED, str(made.id))])
        return made

    @_change
    async def change(self, account: AccountId, made: Person) -> Person:
        """In place of the person with its id; an empty `uid` leaves the UID as it is. Raises
        NoSuchContact, BadContact, ContactExists.
        """
        check_person(made)
        async with self._database.writing() as at:
            where = (_p.account == account) & (_p.id == made.id)
            present = (await at.execute(select(_p.uid, _p.created).where(where))).first()
            if present is None:
                raise absent(made.id)
            made = replace(made, uid=made.uid or present.uid, created=present.created)
            made = replace(made, changed=self._clock.now())
            if made.uid != present.uid:
                await refuse_known(at, person, account, made.uid)
            await at.execute(update(person).where(where).values(columns_of(made)))
            await at.execute(delete(person_email).where(_e.person == made.id))
            await write_emails(at, account, made)
            await note(at, account, [Change(Kind.PERSON, How.UPDATED, str(made.id))])
        return made

    @_change
    async def delete(self, account: AccountId, number: int) -> None:
        """Out of every group too. Raises NoSuchContact."""
        async with self._database.writing() as at:
            where = (_p.account == account) & (_p.id == number)
            if (await at.execute(select(_p.id).where(where))).first() is None:
                raise absent(number)
            of = select(_m.group).where(_m.person == number).order_by(_m.group)
            groups = (await at.execute(of)).scalars().all()
            await at.execute(delete(contact_member).where(_m.person == number))
            await at.execute(delete(person_email).where(_e.person == number))
            await at.execute(delete(person).where(where))
            changes = [Change(Kind.GROUP, How.UPDATED, str(group)) for group in groups]
            await note(at, account, [*changes, Change(Kind.PERSON, How.DELETED, str(number))])

    # Groups.

    async def groups(self, account: AccountId) -> list[Group]:
        """In order of name."""
        return sorted(
            await self._database.finish(self._groups(account)), key=lambda one: (one.name, one.id)
        )

    async def group_named(self, account: AccountId, name: str) -> Group:
        """Raises NoSuchContact."""
        for one in await self.groups(account):
            if one.name == name:
                return one
        raise NoSuchContact(f"There is no group {name!r}")

    async def _groups(self, account: AccountId) -> list[Group]:
        members = (
            select(_m.group, _m.person)
            .join(contact_group, _g.id == _m.group)
            .where(_g.account == account)
            .order_by(_m.person)
        )
        async with self._database.reading() as at:
            rows = (
                await at.execute(select(_g.id, _g.uid, _g.name).where(_g.account == account))
            ).all()
            held: dict[int, list[int]] = {}
            for number, one in await at.execute(members):
                held.setdefault(number, []).append(one)
        return [Group(row.name, tuple(held.get(row.id, ())), row.uid, row.id) for row in rows]

    @_change
    async def add_group(self, account: AccountId, made: Group) -> Group:
        """The group as it was stored. Raises BadContact, ContactExists, TooManyContacts,
        NoSuchContact (a member), NoSuchAccount.
        """
        check_group(made)
        made = replace(made, uid=made.uid or str(uuid.uuid4()))
        async with self._database.writing() as at:
            await modseq_of(at, account)
            await refuse_known(at, contact_group, account, made.uid)
            await refuse_name(at, account, made)
            await refuse_more(at, contact_group, account, MAX_GROUPS)
            values = {"account": account, "uid": made.uid, "name": made.name}
            result = await at.execute(insert(contact_group).values(values).returning(_g.id))
            made = replace(made, id=result.scalar_one())
            made = await write_members(at, account, made)
            await note(at, account, [Change(Kind.GROUP, How.CREATED, str(made.id))])
        return made

    @_change
    async def change_group(self, account: AccountId, made: Group) -> Group:
        """In place of the group with its id, whose UID stays. Raises as `add_group`."""
        check_group(made)
        async with self._database.writing() as at:
            where = (_g.account == account) & (_g.id == made.id)
            uid = (await at.execute(select(_g.uid).where(where))).scalar()
            if uid is None:
                raise absent(made.id)
            await refuse_name(at, account, made)
            await at.execute(update(contact_group).where(where).values(name=made.name))
            await at.execute(delete(contact_member).where(_m.group == made.id))
            made = await write_members(at, account, replace(made, uid=uid))
            await note(at, account, [Change(Kind.GROUP, How.UPDATED, str(made.id))])
        return made

    @_change
    async def delete_group(self, account: AccountId, number: int) -> None:
        """Its people stay. Raises NoSuchContact."""
        async with self._database.writing() as at:
            where = (_g.account == account) & (_g.id == number)
            if (await at.execute(select(_g.id).where(where))).first() is None:
                raise absent(number)
            await at.execute(delete(contact_member).where(_m.group == number))
            await at.execute(delete(contact_group).where(where))
            await note(at, account, [Change(Kind.GROUP, How.DELETED, str(number))])

    async def _rows(self, query: Any) -> list[Any]:
        async with self._database.reading() as at:
            return list((await at.execute(query)).all())
