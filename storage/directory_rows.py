"""The statements of the directory: rows of config.db in, values out, one connection each.

Who may call when, and what is remembered, is storage/directory.py. `key` is always Mailbox.key(),
or "@domain" for a catch-all.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_auth_tables import credential, recovery_code, second_factor
from storage.config_blob_tables import blob_ref
from storage.config_contact_tables import CONTACT_TABLES
from storage.config_push_tables import push_subscription, webhook, webhook_event
from storage.config_role_tables import delegation, domain_limit
from storage.config_schema import (
    account,
    acl,
    alias,
    alias_target,
    answered,
    domain,
    entry,
    journal,
)
from storage.config_sending_tables import identity, profile, vacation
from storage.config_user_tables import correspondent, preference, script, tag
from storage.directory_values import Account, Alias, AlreadyExists, Submission
from storage.values import AccountId

_COLUMNS = (
    account.c.id,
    account.c.key,
    account.c.address,
    account.c.name,
    account.c.password_hash,
    account.c.enabled,
    account.c.admin,
    account.c.quota_bytes,
    account.c.quota_messages,
    account.c.created,
    account.c.imap_mask,
    account.c.gmail_labels,
    account.c.submission,
    account.c.scram,
    account.c.source,
    account.c.absent,
    account.c.administers,
)
# Below the number of parameters that any SQLite takes in one statement (999).
BATCH = 500


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    *values, mask, labels, submission, scram, source, absent, administers = row
    found = Account(
        *values,  # type: ignore[misc]
        imap_mask=tuple(mask.split()),
        gmail_labels=bool(labels),
        submission=Submission.unpack(submission),
        scram=scram,
        source=source,
        absent=bool(absent),
        administers=tuple(administers.split()),
    )
    return replace(found, enabled=False) if absent else found


async def accounts_by_key(at: AsyncConnection, keys: Sequence[str]) -> dict[str, Account]:
    """Those of at most BATCH keys that are accounts."""
    rows = await at.execute(select(*_COLUMNS).where(account.c.key.in_(keys)))
    return {row.key: _account(row) for row in rows}


async def account_by_id(at: AsyncConnection, number: AccountId) -> Account | None:
    row = (await at.execute(select(*_COLUMNS).where(account.c.id == number))).first()
    return None if row is None else _account(row)


async def all_accounts(at: AsyncConnection) -> list[Account]:
    """In order of address."""
    return [_account(row) for row in await at.execute(select(*_COLUMNS).order_by(account.c.key))]


async def first_administrator(at: AsyncConnection) -> Account | None:
    """The oldest enabled administrator, else the oldest enabled account."""
    order = (account.c.admin.desc(), account.c.id)
    query = select(*_COLUMNS).where(account.c.enabled, ~account.c.absent).order_by(*order).limit(1)
    row = (await at.execute(query)).first()
    return None if row is None else _account(row)


async def insert_account(
    at: AsyncConnection, key: str, domain_name: str, values: dict[str, Any]
) -> Account:
    row = {"key": key, "domain": domain_name, "enabled": True, "modseq": 1, **values}
    result = await at.execute(insert(account).values(row).returning(*_COLUMNS))
    return _account(result.one())


async def update_account(at: AsyncConnection, key: str, values: dict[str, Any]) -> Account | None:
    """The account after the change, None when there is none."""
    change = update(account).where(account.c.key == key).values(values).returning(*_COLUMNS)
    row = (await at.execute(change)).first()
    return None if row is None else _account(row)


async def improve_password(
    at: AsyncConnection, old: Account, values: dict[str, Any]
) -> Account | None:
    """As update_account, if the password is still the same."""
    same = (account.c.id == old.id) & (account.c.password_hash == old.password_hash)
    change = update(account).where(same).values(values).returning(*_COLUMNS)
    row = (await at.execute(change)).first()
    return None if row is None else _account(row)


async def remove_account(at: AsyncConnection, number: AccountId) -> None:
    await at.execute(delete(journal).where(journal.c.account == number))
    await at.execute(delete(answered).where(answered.c.account == number))
    await at.execute(delete(script).where(script.c.account == number))
    await _remove_own(at, number)
    await at.execute(delete(blob_ref).where(blob_ref.c.account == number))
    hooks = select(webhook.c.id).where(webhook.c.account == number)
    await at.execute(delete(webhook_event).where(webhook_event.c.webhook.in_(hooks)))
    for table in (webhook, push_subscription, credential, second_factor, recovery_code):
        await at.execute(delete(table).where(table.c.account == number))
    mine = (delegation.c.owner == number) | (delegation.c.delegate == number)
    await at.execute(delete(delegation).where(mine))
    await at.execute(delete(acl).where((acl.c.account == number) | (acl.c.grantee == number)))
    mine = (entry.c.account == number) | (entry.c.user == number)
    await at.execute(delete(entry).where(mine))
    await at.execute(delete(account).where(account.c.id == number))


async def _remove_own(at: AsyncConnection, number: AccountId) -> None:
    for table in reversed(CONTACT_TABLES):
        await at.execute(delete(table).where(table.c.account == number))
    for table in (correspondent, tag, preference, identity, profile, vacation):
        await at.execute(delete(table).where(table.c.account == number))


def _aliases(rows: Sequence[Row[str, str, bool, str]]) -> dict[str, Alias]:
    spelled: dict[str, tuple[str, bool]] = {}
    targets: dict[str, list[str]] = {}
    for key, text, send_as, target in rows:
        spelled[key] = text, bool(send_as)
        targets.setdefault(key, []).append(target)
    return {key: Alias(text, tuple(targets[key]), send) for key, (text, send) in spelled.items()}


async def _select_aliases(at: AsyncConnection, where: ColumnElement[bool]) -> dict[str, Alias]:
    query = (
        select(alias.c.key, alias.c.alias, alias.c.send_as, alias_target.c.target)
        .join(alias_target, alias_target.c.alias_key == alias.c.key)
        .where(where)
        .order_by(alias.c.key, alias_target.c.position)
    )
    return _aliases((await at.execute(query)).all())


async def aliases_by_key(at: AsyncConnection, keys: Sequence[str]) -> dict[str, Alias]:
    """Those of at most BATCH keys that are aliases, by key."""
    return await _select_aliases(at, alias.c.key.in_(keys))


async def all_aliases(at: AsyncConnection) -> list[Alias]:
    """In order of alias."""
    return list((await _select_aliases(at, alias.c.key != "")).values())


async def insert_alias(
    at: AsyncConnection, key: str, domain_name: str, value: Alias, created: float
) -> None:
    row = {"key": key, "domain": domain_name, "alias": value.alias, "created": created}
    await at.execute(insert(alias).values(row | {"send_as": value.send_as}))
    for start in range(0, len(value.targets), BATCH // 3):
        chunk = value.targets[start : start + BATCH // 3]
        await at.execute(
            insert(alias_target).values(
                [
                    {"alias_key": key, "position": start + offset, "target": target}
                    for offset, target in enumerate(chunk)
                ]
            )
        )


async def set_send_as(at: AsyncConnection, key: str, send_as: bool) -> None:
    await at.execute(update(alias).where(alias.c.key == key).values(send_as=send_as))


async def remove_alias(at: AsyncConnection, key: str) -> None:
    await at.execute(delete(alias_target).where(alias_target.c.alias_key == key))
    await at.execute(delete(alias).where(alias.c.key == key))


async def all_domains(at: AsyncConnection) -> set[str]:
    return set((await at.execute(select(domain.c.name))).scalars())


async def insert_domain(at: AsyncConnection, name: str, created: float) -> None:
    await at.execute(insert(domain).values(name=name, created=created))


async def remove_domain(at: AsyncConnection, name: str) -> None:
    """With what its administrators were given; they administer it no more."""
    await at.execute(delete(domain_limit).where(domain_limit.c.domain == name))
    administrators = select(account.c.id, account.c.administers).where(account.c.administers != "")
    for number, administers in (await at.execute(administrators)).all():
        left = " ".join(one for one in administers.split() if one != name)
        if left != administers:
            await at.execute(update(account).where(account.c.id == number).values(administers=left))
    await at.execute(delete(domain).where(domain.c.name == name))


async def in_domain(at: AsyncConnection, name: str) -> tuple[int, int]:
    """How many accounts and aliases a domain has."""
    counts = []
    for table in (account, alias):
        query = select(func.count()).select_from(table).where(table.c.domain == name)
        counts.append((await at.execute(query)).scalar_one())
    return counts[0], counts[1]


async def refuse_taken(connection: AsyncConnection, key: str, text: str) -> None:
    """Raises AlreadyExists when an account or an alias has the key."""
    if await accounts_by_key(connection, (key,)):
        raise AlreadyExists(f"There is an account {text} already")
    if await aliases_by_key(connection, (key,)):
        raise AlreadyExists(f"There is an alias {text} already")


async def aliases_leading_to(at: AsyncConnection, key: str) -> list[str]:
    """Addresses of aliases that lead to one, over others too, without catch-alls; in order."""
    names: dict[str, str] = {}
    keys = [key]
    while keys:
        query = (
            select(alias.c.key, alias.c.alias)
            .join(alias_target, alias_target.c.alias_key == alias.c.key)
            .where(func.lower(alias_target.c.target).in_(keys[:BATCH]))
        )
        found = {row.key: row.alias for row in await at.execute(query)}
        keys = [*keys[BATCH:], *(one for one in found if one not in names)]
        names |= found
    return [names[one] for one in sorted(names) if not one.startswith("@")]
