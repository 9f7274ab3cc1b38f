"""`mailserver account role ...`."""

from collections.abc import Mapping, Sequence
from typing import Any

from auth.roles import Role, role_of
from mailserver.operations.accounts import shown
from mailserver.operations.errors import OperationError
from mailserver.services import Services
from storage.audit_values import Kind
from storage.directory_names import domain_of
from storage.directory_values import Absent, Account

Args = Mapping[str, Any]


async def account_role(services: Services, args: Args) -> dict[str, Any]:
    """Gives an account the role `role`, for domain administrators with `domains`; its open
    connections end where that changes anything.
    """
    directory = services.directory
    account = await directory.account(args["address"])
    if account is None:
        raise Absent(f"There is no account {args['address']}")
    role = _role(str(args["role"]))
    domains = _domains(services, role, args.get("domains") or ())
    if (role is Role.ADMINISTRATOR, domains) == (account.admin, account.administers):
        return await shown(services, account)
    admin = role is Role.ADMINISTRATOR
    changed = await directory.set_role(account.address, admin=admin, administers=domains)
    by = f", by {args['by']}" if args.get("by") else ""
    services.auth.audit.record(
        Kind.ROLE,
        changed.id,
        changed.address,
        detail=f"{_words(account)} -> {_words(changed)}{by}",
    )
    return await shown(services, changed)


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise OperationError(f"roles are {known}") from None


def _domains(services: Services, role: Role, names: Sequence[str]) -> tuple[str, ...]:
    if role is not Role.DOMAIN_ADMINISTRATOR:
        if names:
            raise OperationError(f"domains are for {Role.DOMAIN_ADMINISTRATOR.value}s only")
        return ()
    if not names:
        raise OperationError("a domain administrator needs a domain")
    domains = tuple(sorted({domain_of(name) for name in names}))
    for domain in domains:
        if not services.directory.serves(domain):
            raise OperationError(f"{domain} is not served")
    return domains


def _words(account: Account) -> str:
    return " ".join((role_of(account).value, *account.administers))
