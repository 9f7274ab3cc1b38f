"""The steps by which config.db came to its schema; the tables are in storage/config_*.py."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, inspect, update
from sqlalchemy.schema import CreateColumn

from storage.config_auth_tables import credential, recovery_code, second_factor
from storage.config_base import metadata
from storage.config_blob_tables import blob, blob_ref
from storage.config_contact_tables import (
    address_book_share,
    create_book_shares,
    create_share_notices,
    share_notice,
)
from storage.config_contacts_moved import move_contacts
from storage.config_defence_tables import audit, known_login
from storage.config_drive_tables import create_drive
from storage.config_factor_tables import factor_spent, factor_tries, passkey, reset_code, sms_factor
from storage.config_oauth_tables import create_oauth
from storage.config_push_tables import create_push_subscriptions, create_webhooks
from storage.config_rest_tables import create_answers
from storage.config_role_tables import delegation, domain_limit
from storage.config_schema import (
    account,
    acl,
    alias,
    answered,
    block,
    dkim_key,
    entry,
    failed_address,
    hold_rule,
    kept_sender,
    report,
    report_count,
    report_row,
    secret,
    seen,
    sent_count,
    source_count,
    suppression,
)
from storage.config_sending_tables import identity, profile, vacation
from storage.config_service_tables import service_endpoint
from storage.config_signup_tables import code_sent, invite, reached, sign_up
from storage.config_user_tables import correspondent, preference, script, tag


def _first(connection: Connection) -> None:
    metadata.create_all(connection)


def _acl(connection: Connection) -> None:
    acl.create(connection, checkfirst=True)


def _metadata(connection: Connection) -> None:
    entry.create(connection, checkfirst=True)


def _choices(connection: Connection) -> None:
    """What an account chose of IMAP."""
    _add_columns(connection, account.c.imap_mask, account.c.gmail_labels)


def _submission(connection: Connection) -> None:
    """What an account may and wants in submission."""
    _add_columns(connection, account.c.submission)


def _dkim_keys(connection: Connection) -> None:
    dkim_key.create(connection, checkfirst=True)


def _forwarding(connection: Connection) -> None:
    for table in (secret, kept_sender, answered):
        table.create(connection, checkfirst=True)


def _add_columns(connection: Connection, *columns: Column[Any]) -> None:
    """A database made by this program has the columns already."""
    table = columns[0].table.name
    there = {column["name"] for column in inspect(connection).get_columns(table)}
    for column in columns:
        if column.name not in there:
            made = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {made}")


def _blocks(connection: Connection) -> None:
    block.create(connection, checkfirst=True)


def _reports(connection: Connection) -> None:
    for table in (report_count, report, report_row):
        table.create(connection, checkfirst=True)


def _seen(connection: Connection) -> None:
    seen.create(connection, checkfirst=True)


def _hold_rules(connection: Connection) -> None:
    hold_rule.create(connection, checkfirst=True)


def _sent_counts(connection: Connection) -> None:
    sent_count.create(connection, checkfirst=True)


def _suppressions(connection: Connection) -> None:
    for table in (suppression, failed_address):
        table.create(connection, checkfirst=True)


def _source_counts(connection: Connection) -> None:
    source_count.create(connection, checkfirst=True)


def _scripts(connection: Connection) -> None:
    script.create(connection, checkfirst=True)


def _contacts(connection: Connection) -> None:
    correspondent.create(connection, checkfirst=True)


def _preferences(connection: Connection) -> None:
    for table in (tag, preference):
        table.create(connection, checkfirst=True)


def _defence(connection: Connection) -> None:
    for table in (audit, known_login):
        table.create(connection, checkfirst=True)


def _credentials(connection: Connection) -> None:
    for table in (credential, second_factor, recovery_code):
        table.create(connection, checkfirst=True)


def _scram(connection: Connection) -> None:
    """Keys of an account's password for SCRAM."""
    _add_columns(connection, account.c.scram)


def _sign_ups(connection: Connection) -> None:
    for table in (sign_up, code_sent, invite, reached):
        table.create(connection, checkfirst=True)


def _scram_of_credentials(connection: Connection) -> None:
    """The same of app passwords."""
    _add_columns(connection, credential.c.scram)


def _service_endpoints(connection: Connection) -> None:
    service_endpoint.create(connection, checkfirst=True)


def _passkeys(connection: Connection) -> None:
    for table in (passkey, sms_factor, factor_tries, factor_spent):
        table.create(connection, checkfirst=True)


def _account_sources(connection: Connection) -> None:
    """Which source outside has the account, and whether it is gone or disabled there."""
    _add_columns(connection, account.c.source, account.c.absent)


def _roles(connection: Connection) -> None:
    """Domain administrators, and who sends for whom. Members of the groups there are could send as
    them, and still can.
    """
    if "send_as" not in {each["name"] for each in inspect(connection).get_columns(alias.name)}:
        _add_columns(connection, alias.c.send_as)
        connection.execute(update(alias).values(send_as=True))
    _add_columns(connection, account.c.administers)
    for table in (delegation, domain_limit):
        table.create(connection, checkfirst=True)


def _resets(connection: Connection) -> None:
    reset_code.create(connection, checkfirst=True)


def _identities(connection: Connection) -> None:
    identity.create(connection, checkfirst=True)


def _blobs(connection: Connection) -> None:
    for table in (blob, blob_ref):
        table.create(connection, checkfirst=True)


def _profiles(connection: Connection) -> None:
    profile.create(connection, checkfirst=True)


def _vacations(connection: Connection) -> None:
    vacation.create(connection, checkfirst=True)


def _subscribed_shares(connection: Connection) -> None:
    _add_columns(connection, address_book_share.c.subscribed)


def _kinds_of_notices(connection: Connection) -> None:
    _add_columns(connection, share_notice.c.kind)


# Number n is entry n - 1. A step once released is never edited: the next change is the next step.
MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _acl,
    _metadata,
    _choices,
    _submission,
    _blocks,
    _reports,
    _seen,
    _dkim_keys,
    _forwarding,
    _hold_rules,
    _sent_counts,
    _suppressions,
    _source_counts,
    _scripts,
    _contacts,
    _preferences,
    _defence,
    _credentials,
    _scram,
    _sign_ups,
    _scram_of_credentials,
    _service_endpoints,
    _passkeys,
    _account_sources,
    _roles,
    _resets,
    create_oauth,
    _identities,
    _blobs,
    create_answers,
    move_contacts,
    create_drive,
    create_push_subscriptions,
    _profiles,
    _vacations,
    create_webhooks,
    create_book_shares,
    create_share_notices,
    _subscribed_shares,
    _kinds_of_notices,
)
