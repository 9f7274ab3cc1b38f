"""A step of config.db: people and groups of the tables that were become cards of an address book.

The old tables are known here alone, by their names.
"""

import json
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, inspect, select, text, update

from message.jscontact import Card, canonical
from message.jscontact_reading import jscontact_of
from message.jscontact_writing import vcard_of
from message.vcard import V4, Property, Vcard, format_vcard, parse_vcards
from message.vcard_values import escaped
from storage.config_contact_tables import CONTACT_TABLES, address_book, card
from storage.config_schema import account as accounts
from storage.config_schema import journal
from storage.contact_rows import book_columns, card_columns, index_rows
from storage.contact_values import DEFAULT, Content, etag_of
from storage.values import AccountId

_OLD: Final = (
    "config_contact_member",
    "config_contact_group",
    "config_person_email",
    "config_person",
)
_PLAIN: Final = {"nickname": "NICKNAME", "organization": "ORG", "title": "TITLE", "note": "NOTE"}


def move_contacts(connection: Connection) -> None:
    """Makes the tables of cards, fills them, and drops the old ones."""
    for table in CONTACT_TABLES:
        table.create(connection, checkfirst=True)
    if not inspect(connection).has_table("config_person"):
        return
    owners = text(
        "SELECT account FROM config_person UNION SELECT account FROM config_contact_group"
    )
    for account in connection.execute(owners).scalars().all():
        _move(connection, AccountId(account))
    connection.execute(delete(journal).where(journal.c.kind.in_(("person", "group"))))
    for name in _OLD:
        connection.execute(text(f"DROP TABLE {name}"))


def _move(connection: Connection, account: AccountId) -> None:
    modseq: int = connection.execute(
        select(accounts.c.modseq).where(accounts.c.id == account)
    ).scalar_one()
    modseq += 1
    values = {**book_columns(DEFAULT), "account": account, "cards": 0, "octets": 0}
    values |= {"born": modseq, "modseq": modseq, "changed": modseq}
    row = insert(address_book).values(values).returning(address_book.c.id)
    book = connection.execute(row).scalar_one()
    octets, count = 0, 0
    for made, created, changed in _cards(connection, account):
        modseq, count = modseq + 1, count + 1
        raw = format_vcard(vcard_of(made))
        octets += len(raw)
        columns = card_columns(Content(canonical(made), raw, V4), made, etag_of(raw))
        columns |= {"account": account, "book": book, "href": f"{count}.vcf", "born": modseq}
        columns |= {"modseq": modseq, "created": created, "changed": changed}
        number = connection.execute(insert(card).values(columns).returning(card.c.id)).scalar_one()
        for table, rows in index_rows(account, [(number, made)]):
            connection.execute(insert(table), rows)
    sums = {"cards": count, "octets": octets, "changed": modseq}
    connection.execute(update(address_book).where(address_book.c.id == book).values(sums))
    connection.execute(update(accounts).where(accounts.c.id == account).values(modseq=modseq))


def _cards(connection: Connection, account: AccountId) -> list[tuple[Card, float, float]]:
    mine = {"account": account}
    emails = text(
        "SELECT person, address, label FROM config_person_email WHERE account = :account"
        " ORDER BY person, position"
    )
    held: dict[int, list[Any]] = {}
    for row in connection.execute(emails, mine):
        held.setdefault(row.person, []).append(row)
    found, uids = [], {}
    people = text("SELECT * FROM config_person WHERE account = :account ORDER BY id")
    for row in connection.execute(people, mine).all():
        uids[row.id] = row.uid
        found.append((_person(row, held.get(row.id, [])), row.created, row.changed))
    members = text('SELECT person FROM config_contact_member WHERE "group" = :number')
    groups = text("SELECT id, uid, name FROM config_contact_group WHERE account = :account")
    for row in connection.execute(groups, mine).all():
        of = sorted(connection.execute(members, {"number": row.id}).scalars())
        made: Card = {"@type": "Card", "version": "1.0", "uid": row.uid, "kind": "group"}
        made |= {"name": {"full": row.name}, "members": {uids[one]: True for one in of}}
        found.append((made, 0.0, 0.0))
    return found


def _person(row: Any, emails: list[Any]) -> Card:
    """By way of a vCard, so that lines which had no field get their places."""
    properties = [Property("UID", escaped(row.uid))]
    if row.name:
        properties.append(Property("FN", escaped(row.name)))
    if row.given_name or row.family_name:
        name = f"{escaped(row.family_name)};{escaped(row.given_name)};;;"
        properties.append(Property("N", name))
    for email in emails:
        params = (("TYPE", (email.label.lower(),)),) if email.label else ()
        properties.append(Property("EMAIL", escaped(email.address), params))
    for column, name in _PLAIN.items():
        if value := getattr(row, column):
            properties.append(Property(name, escaped(value)))
    lines = "".join(f"{line}\r\n" for line in json.loads(row.more))
    more = parse_vcards(f"BEGIN:VCARD\r\nVERSION:4.0\r\n{lines}END:VCARD\r\n".encode())
    rest = [one for found in more for one in found.properties]
    return jscontact_of(Vcard(V4, (*properties, *rest)))
