"""Roles, and the one answer to "may this caller do this to that": by TABLE, no where it is silent.

docs/roles.md has the table for people. Invariants: nobody administers itself, nor somebody who
could do more than oneself: a domain administrator touches no administrator of the server, and of
domain administrators only those whose domains are all among its own; domain administrators read no
mail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from storage.directory_values import Account
from storage.values import AccountId


class Role(Enum):
    """What an account is; the value is what commands take and show."""

    USER = "user"
    DOMAIN_ADMINISTRATOR = "domain-administrator"
    ADMINISTRATOR = "administrator"


class Scope(Enum):
    """Whose things: nobody's, one's own, those of one's domains and one's own, everybody's."""

    NOBODY = "-"
    OWN = "own"
    DOMAINS = "domains"
    ALL = "all"


class Right(Enum):
    """What may be done; the value says it in the table of docs/roles.md."""

    ACCOUNT_SEE = "see an account"
    ACCOUNT_ADD = "make an account"
    ACCOUNT_QUOTA = "set the quota of an account"
    ACCOUNT_CHOICES = "set what an account has of IMAP, notices and Sent"
    ACCOUNT_LIMITS = "set send limits and whose address From may hold"
    ACCOUNT_PASSWORD = "set a password, remove a second factor"  # noqa: S105 - a right
    ACCOUNT_ENABLE = "disable and enable an account"
    ACCOUNT_DELETE = "delete an account"
    ACCOUNT_ROLE = "give a role"
    CREDENTIAL_END = "see and end app passwords, tokens, sessions, known devices"
    CREDENTIAL_MAKE = "make app passwords, tokens and second factors"
    SENDING_GRANT = "let another account send for it"
    MAILBOX_SHARE = "share mailboxes"
    MAIL_READ = "read mail, quarantine, scripts, contacts, tags"
    LOG_IN_AS = "log in as an account that administers nothing"
    ALIAS = "see and change aliases and groups"
    DOMAIN_SEE = "see a domain, its limits and its DNS records"
    DOMAIN_CHANGE = "add and delete domains, change their keys and limits"
    QUEUE_SEE = "see queued mail that an account sent"
    QUEUE_CANCEL = "take back mail that is sent later"
    QUEUE_CHANGE = "retry, hold, release and bounce queued mail that an account sent"
    AUDIT_SEE = "see the audit log of an account"
    SERVER = "everything else: blocks, invites, sign-ups, rules, reports, filters, reload"


TABLE: Final[Mapping[Right, tuple[Scope, Scope, Scope]]] = {
    Right.ACCOUNT_SEE: (Scope.OWN, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_ADD: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_QUOTA: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_CHOICES: (Scope.OWN, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_LIMITS: (Scope.NOBODY, Scope.NOBODY, Scope.ALL),
    Right.ACCOUNT_PASSWORD: (Scope.OWN, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_ENABLE: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_DELETE: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.ACCOUNT_ROLE: (Scope.NOBODY, Scope.NOBODY, Scope.ALL),
    Right.CREDENTIAL_END: (Scope.OWN, Scope.DOMAINS, Scope.ALL),
    Right.CREDENTIAL_MAKE: (Scope.OWN, Scope.OWN, Scope.ALL),
    Right.SENDING_GRANT: (Scope.OWN, Scope.OWN, Scope.ALL),
    Right.MAILBOX_SHARE: (Scope.OWN, Scope.OWN, Scope.ALL),
    Right.MAIL_READ: (Scope.OWN, Scope.OWN, Scope.ALL),
    Right.LOG_IN_AS: (Scope.NOBODY, Scope.NOBODY, Scope.ALL),
    Right.ALIAS: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.DOMAIN_SEE: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.DOMAIN_CHANGE: (Scope.NOBODY, Scope.NOBODY, Scope.ALL),
    Right.QUEUE_SEE: (Scope.OWN, Scope.DOMAINS, Scope.ALL),
    Right.QUEUE_CANCEL: (Scope.OWN, Scope.OWN, Scope.ALL),
    Right.QUEUE_CHANGE: (Scope.NOBODY, Scope.DOMAINS, Scope.ALL),
    Right.AUDIT_SEE: (Scope.OWN, Scope.DOMAINS, Scope.ALL),
    Right.SERVER: (Scope.NOBODY, Scope.NOBODY, Scope.ALL),
}
_COLUMN: Final = {role: column for column, role in enumerate(Role)}
_OF_ALONE: Final = frozenset({Right.ACCOUNT_ROLE, Right.LOG_IN_AS})
"""What nobody does to itself, administrators neither."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, as it is at this moment: ask anew for each request. `domains` are those that it
    administers.
    """

    account: AccountId
    address: str
    role: Role
    domains: frozenset[str] = frozenset()


def role_of(account: Account) -> Role:
    """The highest that it has."""
    if account.admin:
        return Role.ADMINISTRATOR
    return Role.DOMAIN_ADMINISTRATOR if account.administers else Role.USER


def actor_of(account: Account) -> Actor | None:
    """Whom an account acts as; None for a disabled one, which may nothing."""
    if not account.enabled:
        return None
    domains = frozenset(account.administers)
    return Actor(account.id, account.address, role_of(account), domains)


def scope(actor: Actor, right: Right) -> Scope:
    """Whose things it may do this to."""
    row = TABLE.get(right)
    return Scope.NOBODY if row is None else row[_COLUMN[actor.role]]


def may(actor: Actor, right: Right, target: Account | str | None = None) -> bool:
    """Whether the actor may do this to an account, or to something of a domain (lower case
    A-labels); None is what belongs to no account and no domain.
    """
    found = scope(actor, right)
    if found is Scope.NOBODY or (isinstance(target, Account) and not _above(actor, right, target)):
        return False
    if found is Scope.ALL:
        return True
    if isinstance(target, Account):
        own = target.id == actor.account
        return TABLE[right][0] is Scope.OWN if own else _governs(actor, found, target.domain)
    return target is not None and _governs(actor, found, target)


def _governs(actor: Actor, found: Scope, domain: str) -> bool:
    return found is Scope.DOMAINS and domain in actor.domains


def _above(actor: Actor, right: Right, target: Account) -> bool:
    """Whether the target is the actor itself, or can do nothing that the actor can't."""
    if target.id == actor.account:
        return right not in _OF_ALONE
    if right is Right.LOG_IN_AS:
        return role_of(target) is Role.USER
    if actor.role is Role.ADMINISTRATOR:
        return True
    return not target.admin and actor.domains.issuperset(target.administers)
