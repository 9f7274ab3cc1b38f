"""What a user logs in by and with: the password, app passwords, tokens, sessions, consents, known
devices, the app of the second factor, and the log of sign-ins. Passkeys and codes by SMS are in
web/passkeys.py.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from storage.credential_values import CredentialKind, Protocol
from web.rest.endpoint import Access, Endpoint
from web.rest.models import (
    Give,
    Name,
    Page,
    Paging,
    Secret,
    Take,
    Text,
    Time,
)
from web.rest.operations import Operations

TAG: Final = "security"
_OPENED: Final = (CredentialKind.SESSION, CredentialKind.BROWSER, CredentialKind.OAUTH)
Network = Annotated[str, Field(pattern="^[0-9A-Fa-f.:/]{1,50}$")]
Id = Annotated[int, Field(ge=1, le=(1 << 53) - 1)]


class Credential(Give):
    """An app password, token or session; `secret` when it is made, and never again."""

    id: int
    kind: CredentialKind
    name: str
    protocols: list[Protocol]
    read_only: bool
    draft_only: bool
    folders: list[str]
    senders: list[str]
    networks: list[str]
    rate: int
    preset: str
    created: Time
    expires: Time | None
    last_used: Time | None
    last_address: str | None
    last_protocol: str | None


class NewCredential(Credential):
    """With its secret, this once."""

    secret: str


class CredentialBody(Take):
    """What it is good for; `expires` in seconds since 1970, null for ever; `preset` says for which
    program.
    """

    name: Name
    protocols: Annotated[tuple[Protocol, ...], Field(max_length=10)] = ()
    read_only: bool = False
    folders: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    senders: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    networks: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    rate: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    preset: Annotated[str, Field(max_length=64)] = ""
    expires: Annotated[float, Field(ge=0, le=1e11)] | None = None


class TokenBody(CredentialBody):
    """`agent`: it reads and drafts only."""

    agent: bool = False


class Consent(Give):
    """What a client of OAuth was allowed."""

    client: str
    name: str
    scopes: list[str]
    given: Time


class Device(Give):
    """A network that the account logged in from."""

    network: str
    last: Time


class SignIn(Give):
    """An entry of the audit log."""

    kind: str
    account: str | None
    address: str
    protocol: str
    client: str
    credential: str
    detail: str
    first: Time
    last: Time
    count: int


class Since(Paging):
    """`since` in seconds since 1970."""

    since: Annotated[int, Field(ge=0, le=1 << 40)] = 0


class PasswordBody(Take):
    """The password from here on."""

    password: Secret


class CodeBody(Take):
    """A code of the app."""

    code: Annotated[str, Field(min_length=6, max_length=12)]


class TotpKey(Give):
    """For the app: its key, and the same as a URI for a QR code."""

    key: str
    uri: str


class Codes(Give):
    """Recovery codes, this once."""

    codes: list[str]


class Grade(Give):
    """How hard a password is to guess."""

    grade: str
    bits: int
    hint: str


def security_endpoints(do: Operations) -> Sequence[Endpoint]:
    """Of the login's own account."""
    return [
        *_credentials(do, "app-passwords", "AppPassword", "app password", CredentialBody),
        *_credentials(do, "tokens", "Token", "token", TokenBody),
        Endpoint(
            *("GET", "/sessions", TAG, "listSessions", "Sessions that are open"),
            do.by("token.list", own="address", pick=of_kinds(*_OPENED)),
            *(Access.OWN, None, Paging, Page[Credential]),
            order=by_id,
        ),
        Endpoint(
            *("DELETE", "/sessions/{id}", TAG, "endSession", "End a session"),
            do.by("token.revoke", own="address"),
            Access.SESSION,
            params={"id": Id},
        ),
        Endpoint(
            *("GET", "/consents", TAG, "listConsents", "What clients of OAuth were allowed"),
            do.by("oauth.consent.list", own="address"),
            *(Access.OWN, None, Paging, Page[Consent]),
            order=lambda row: (row["client"],),
        ),
        Endpoint(
            *("DELETE", "/consents/{client}", TAG, "withdrawConsent", "Take a consent back"),
            do.by("oauth.consent.revoke", own="address"),
            Access.SESSION,
        ),
        Endpoint(
            *("GET", "/devices", TAG, "listDevices", "Networks that are known"),
            do.by("account.device.list", own="address"),
            *(Access.OWN, None, Paging, Page[Device]),
            order=lambda row: (row["network"],),
        ),
        Endpoint(
            *("DELETE", "/devices/{network}", TAG, "forgetDevice", "Forget a network"),
            do.by("account.device.forget", own="address"),
            Access.SESSION,
            params={"network": Network},
        ),
        Endpoint(
            *("GET", "/sign-ins", TAG, "listSignIns", "The audit log of the account, newest first"),
            do.by("audit.list", own="address", most=10_000),
            *(Access.OWN, None, Since, Page[SignIn]),
            order=newest,
        ),
        Endpoint(
            *("PUT", "/password", TAG, "setPassword", "Set the account's password"),
            do.by("account.passwd", own="address", pick=lambda found: found["password"]),
            *(Access.FRESH, PasswordBody),
            gives=Grade,
        ),
        *_totp(do),
    ]


def _credentials(
    do: Operations, path: str, name: str, words: str, body: type[CredentialBody]
) -> Sequence[Endpoint]:
    operation = "account.app-password" if path == "app-passwords" else "token"
    kinds = {
        "app-passwords": (CredentialKind.APP_PASSWORD,),
        "tokens": (CredentialKind.TOKEN, CredentialKind.AGENT),
    }[path]
    return [
        Endpoint(
            *("GET", f"/{path}", TAG, f"list{name}s", f"Every {words} of the account"),
            do.by(f"{operation}.list", own="address", pick=of_kinds(*kinds)),
            *(Access.OWN, None, Paging, Page[Credential]),
            order=by_id,
        ),
        Endpoint(
            *("POST", f"/{path}", TAG, f"add{name}", f"Make one {words}"),
            do.by(f"{operation}.add", own="address"),
            *(Access.FRESH, body),
            gives=NewCredential,
            status=201,
            secret=True,
        ),
        Endpoint(
            *(
                "DELETE",
                f"/{path}/{{id}}",
                TAG,
                f"end{name}",
                f"End an {words}".replace("an t", "a t"),
            ),
            do.by(f"{operation}.revoke", own="address"),
            Access.SESSION,
            params={"id": Id},
        ),
    ]


def _totp(do: Operations) -> Sequence[Endpoint]:
    factor = "account.second-factor"
    return [
        Endpoint(
            *("POST", "/second-factor/totp", TAG, "beginTotp", "A key for an authenticator app"),
            do.by(f"{factor}.begin", own="address"),
            Access.FRESH,
            gives=TotpKey,
            secret=True,
        ),
        Endpoint(
            *("POST", "/second-factor/totp/verify", TAG, "confirmTotp", "Switch the app on"),
            do.by(f"{factor}.confirm", own="address"),
            *(Access.FRESH, CodeBody),
            gives=Codes,
            secret=True,
        ),
        Endpoint(
            *("POST", "/second-factor/codes", TAG, "renewCodes", "Other recovery codes"),
            do.by(f"{factor}.codes", own="address"),
            Access.FRESH,
            gives=Codes,
            secret=True,
        ),
        Endpoint(
            *("DELETE", "/second-factor/totp", TAG, "removeTotp", "The password alone again"),
            do.by(f"{factor}.remove", own="address"),
            Access.FRESH,
        ),
    ]


def of_kinds(*kinds: CredentialKind) -> Any:
    """Picks those of a list."""
    names = {kind.value for kind in kinds}
    return lambda found: [row for row in found if row["kind"] in names]


def by_id(row: Any) -> Sequence[int]:
    """An order."""
    return (int(row["id"]),)


def newest(row: Any) -> Sequence[str | int]:
    """An order of entries of the audit log: the last first."""
    inverted = "".join(chr(0x7E - ord(sign) + 0x20) for sign in row["last"])
    return inverted, row["first"], row["kind"], row["address"], row["protocol"], row["detail"]
