"""The login's own account, and for administrators accounts with what belongs to them: roles,
delegations, aliases, invites, sign-ups.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from web.rest.endpoint import Access, Endpoint
from web.rest.models import (
    Address,
    Domain,
    Give,
    Name,
    Number,
    Page,
    Paging,
    Secret,
    Take,
    Text,
    Time,
)
from web.rest.operations import Operations
from web.rest.resources.security import (
    Credential,
    Device,
    Grade,
    Id,
    PasswordBody,
    SignIn,
    Since,
    by_id,
    newest,
)

TAG: Final = "accounts"
OWN: Final = "account"
ALIASES: Final = "aliases"
Sent = Annotated[int, Field(ge=0, le=1_000_000_000)]
Role = Literal["user", "domain-administrator", "administrator"]


class Account(Give):
    """Sizes in octets; a quota of 0 is none."""

    address: str
    name: str
    enabled: bool
    role: Role
    administers: list[str]
    source: str
    quota: int
    used: int
    messages: int
    quota_messages: int
    imap_mask: list[str]
    gmail_labels: bool
    submission: dict[str, Any]


class AccountWhole(Account):
    """`verified` is what it was made with: a phone or an address."""

    verified: str | None
    second_factor: list[str]
    passkeys: int


class AccountBody(Take):
    """A new account, a user's: another role is given to it."""

    address: Address
    password: Secret
    name: Text = ""
    quota: Number = 0


class AccountMade(Account):
    """With how hard its password is to guess."""

    password: Grade


class Submission(Take):
    """What is not given stays; null goes back to the configuration's value."""

    save_sent: bool | None = None


class Limits(Submission):
    """Of administrators too: whose address From may hold, and how much is sent; 0 is no limit."""

    from_header: Literal["own", "any"] | None = None
    messages_per_hour: Sent | None = None
    messages_per_day: Sent | None = None
    recipients_per_hour: Sent | None = None
    recipients_per_day: Sent | None = None


class ChoicesPatch(Take):
    """What a user has of IMAP, notices and Sent."""

    imap_mask: Annotated[list[Name], Field(max_length=100)] | None = None
    gmail_labels: bool | None = None
    notify_new_device: Literal["on", "off", "default"] | None = None
    submission: Submission | None = None


class AccountPatch(ChoicesPatch):
    """The same, with the quota and bounds of sending."""

    submission: Limits | None = None
    quota: Number | None = None
    quota_messages: Number | None = None


class EnabledBody(Take):
    """Whether it logs in and gets mail."""

    enabled: bool


class RoleBody(Take):
    """`domains` are for domain administrators."""

    role: Role
    domains: Annotated[tuple[Domain, ...], Field(max_length=1000)] = ()


class Delegation(Give):
    """Who sends for whom; `on_behalf`: named in Sender."""

    owner: str
    delegate: str
    on_behalf: bool
    created: Time


class DelegationBody(Take):
    """How."""

    on_behalf: bool = False


class Alias(Give):
    """`send_as`: members of a group may send as it."""

    alias: str
    targets: list[str]
    send_as: bool


class AliasBody(Take):
    """A new alias, group or catch-all ("@example.test")."""

    alias: Address
    targets: Annotated[list[Address], Field(min_length=1, max_length=1000)]
    send_as: bool = False


class AliasPatch(Take):
    """What may change."""

    send_as: bool


class InviteBody(Take):
    """`expires` in seconds since 1970."""

    note: Text = ""
    expires: Annotated[float, Field(ge=0, le=1e11)] | None = None


class Invite(Give):
    """`account` is what came of it."""

    id: int
    note: str
    created: Time
    expires: Time
    account: str | None


class NewInvite(Invite):
    """With its code, this once."""

    code: str


class SignUp(Give):
    """Somebody who waits for a code."""

    id: int
    address: str
    name: str
    target: str
    tries: int
    expires: Time


class Entries(Since):
    """Of one account, else of all."""

    address: Address | None = None


def account_endpoints(do: Operations) -> Sequence[Endpoint]:
    """The login's own."""
    return [
        Endpoint(
            *("GET", "/account", OWN, "getAccount", "The account that asks"),
            do.by("account.show", own="address"),
            gives=AccountWhole,
        ),
        Endpoint(
            *("PATCH", "/account", OWN, "changeAccount", "Choices of IMAP, notices and Sent"),
            do.by("account.set", own="address"),
            *(Access.OWN, ChoicesPatch),
            gives=Account,
        ),
        *_delegations(do, "/delegations", "", OWN, {"own": "owner"}),
    ]


def administration_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Accounts of administrators."""
    at, one = "/admin/accounts/{address}", {"address": Address}
    return [
        Endpoint(
            *("GET", "/admin/accounts", TAG, "listAccounts", "Accounts"),
            do.by("account.list"),
            *(Access.OWN, None, Paging, Page[Account]),
            order=lambda row: (row["address"],),
        ),
        Endpoint(
            *("POST", "/admin/accounts", TAG, "addAccount", "Make an account"),
            do.by("account.add"),
            *(Access.OWN, AccountBody),
            gives=AccountMade,
            status=201,
        ),
        Endpoint(
            *("GET", at, TAG, "showAccount", "An account"),
            do.by("account.show"),
            params=one,
            gives=AccountWhole,
        ),
        Endpoint(
            *("PATCH", at, TAG, "setAccount", "Change an account"),
            do.by("account.set"),
            *(Access.OWN, AccountPatch),
            params=one,
            gives=Account,
        ),
        Endpoint(
            *("DELETE", at, TAG, "deleteAccount", "Delete an account and its mailboxes"),
            do.by("account.delete"),
            Access.SESSION,
            params=one,
        ),
        *_states(do, at, one),
        *_credentials(do, at, one),
        *_delegations(do, f"{at}/delegations", "Account", TAG, {"renamed": {"address": "owner"}}),
    ]


def _states(do: Operations, at: str, one: dict[str, Any]) -> Sequence[Endpoint]:
    async def enable(call: Any) -> Any:
        name = "account.enable" if call.taken(EnabledBody).enabled else "account.disable"
        return await do.do(call, name, dict(call.params))

    return [
        Endpoint(
            *("PUT", f"{at}/password", TAG, "setAccountPassword", "Set a password"),
            do.by("account.passwd", pick=lambda found: found["password"]),
            *(Access.FRESH, PasswordBody),
            params=one,
            gives=Grade,
        ),
        Endpoint(
            *("PUT", f"{at}/enabled", TAG, "enableAccount", "Enable or disable", enable),
            *(Access.OWN, EnabledBody),
            params=one,
            gives=Account,
        ),
        Endpoint(
            *("PUT", f"{at}/role", TAG, "setRole", "Give a role"),
            do.by("account.role"),
            *(Access.SESSION, RoleBody),
            params=one,
            gives=Account,
        ),
        Endpoint(
            *("DELETE", f"{at}/second-factor", TAG, "removeFactor", "Remove the second factor"),
            do.by("account.second-factor.remove"),
            Access.FRESH,
            params=one,
        ),
    ]


def _credentials(do: Operations, at: str, one: dict[str, Any]) -> Sequence[Endpoint]:
    """What others log in by: to be seen and ended."""
    found: list[Endpoint] = []
    for path, operation, name in (
        ("app-passwords", "account.app-password", "AppPassword"),
        ("tokens", "token", "Token"),
    ):
        found += [
            Endpoint(
                *("GET", f"{at}/{path}", TAG, f"listAccount{name}s", f"Every {path[:-1]}"),
                do.by(f"{operation}.list"),
                *(Access.OWN, None, Paging, Page[Credential]),
                params=one,
                order=by_id,
            ),
            Endpoint(
                *("DELETE", f"{at}/{path}/{{id}}", TAG, f"endAccount{name}", f"End a {path[:-1]}"),
                do.by(f"{operation}.revoke"),
                params={**one, "id": Id},
            ),
        ]
    return [
        *found,
        Endpoint(
            *("GET", f"{at}/devices", TAG, "listAccountDevices", "Networks that are known"),
            do.by("account.device.list"),
            *(Access.OWN, None, Paging, Page[Device]),
            params=one,
            order=lambda row: (row["network"],),
        ),
    ]


def _delegations(
    do: Operations, at: str, name: str, tag: str, how: dict[str, Any]
) -> Sequence[Endpoint]:
    delegate = f"{at}/{{delegate}}"
    one: dict[str, Any] = {"address": Address} if "{address}" in at else {}
    return [
        Endpoint(
            *("GET", at, tag, f"list{name}Delegations", "Who sends for it"),
            do.by("account.sending.list", **how),
            *(Access.OWN, None, Paging, Page[Delegation]),
            params=one,
            order=lambda row: (row["delegate"],),
        ),
        Endpoint(
            *("PUT", delegate, tag, f"put{name}Delegation", "Let another account send for it"),
            do.by("account.sending.allow", **how),
            *(Access.SESSION, DelegationBody),
            params={**one, "delegate": Address},
            gives=Delegation,
        ),
        Endpoint(
            *("DELETE", delegate, tag, f"end{name}Delegation", "Let it send no more"),
            do.by("account.sending.revoke", **how),
            Access.SESSION,
            params={**one, "delegate": Address},
        ),
    ]


def alias_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Aliases, groups, catch-alls."""
    at, one = "/admin/aliases/{alias}", {"alias": Address}
    return [
        Endpoint(
            *("GET", "/admin/aliases", ALIASES, "listAliases", "Aliases and groups"),
            do.by("alias.list"),
            *(Access.OWN, None, Paging, Page[Alias]),
            order=lambda row: (row["alias"],),
        ),
        Endpoint(
            *("POST", "/admin/aliases", ALIASES, "addAlias", "Add an alias, or targets to one"),
            do.by("alias.add"),
            *(Access.OWN, AliasBody),
            gives=Alias,
            status=201,
        ),
        Endpoint(
            *("PATCH", at, ALIASES, "changeAlias", "Whether members send as it"),
            do.by("alias.set"),
            *(Access.OWN, AliasPatch),
            params=one,
            gives=Alias,
        ),
        Endpoint(
            *("DELETE", at, ALIASES, "deleteAlias", "Delete an alias"),
            do.by("alias.delete"),
            params=one,
        ),
    ]


def entry_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Invites, sign-ups and the audit log."""
    return [
        Endpoint(
            *("GET", "/admin/invites", TAG, "listInvites", "Invites"),
            do.by("account.invite.list"),
            *(Access.OWN, None, Paging, Page[Invite]),
            order=by_id,
        ),
        Endpoint(
            *("POST", "/admin/invites", TAG, "addInvite", "Invite somebody"),
            do.by("account.invite.add"),
            *(Access.OWN, InviteBody),
            gives=NewInvite,
            status=201,
            secret=True,
        ),
        Endpoint(
            *("DELETE", "/admin/invites/{id}", TAG, "deleteInvite", "Take an invite back"),
            do.by("account.invite.delete"),
            params={"id": Id},
        ),
        Endpoint(
            *("GET", "/admin/sign-ups", TAG, "listSignUps", "Who waits for a code"),
            do.by("account.sign-up.list"),
            *(Access.OWN, None, Paging, Page[SignUp]),
            order=by_id,
        ),
        Endpoint(
            *("DELETE", "/admin/sign-ups/{id}", TAG, "deleteSignUp", "Its code makes no account"),
            do.by("account.sign-up.delete"),
            params={"id": Id},
        ),
        Endpoint(
            *("GET", "/admin/audit", "audit", "listAudit", "The audit log, newest first"),
            do.by("audit.list", most=10_000),
            *(Access.OWN, None, Entries, Page[SignIn]),
            order=newest,
        ),
    ]
