"""Sign-up, login, passkeys and second factors, as the OpenAPI document tells them; they are served
by web/auth.py and web/passkeys.py, bare too.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from web.rest.endpoint import Access, Endpoint
from web.rest.models import Give, Take, Time

TAG: Final = "entry"
Words = Annotated[str, Field(min_length=1)]


class Loose(Take):
    """A body of which other members are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class RegisterBody(Loose):
    """The code goes to `phone`, or to the address `email`."""

    username: Words
    password: Words
    phone: str | None = None
    email: str | None = None
    name: str | None = None
    invite: str | None = None


class VerifyBody(Loose):
    """The code that came."""

    username: Words
    code: Words


class LoginBody(Loose):
    """`code` of a second factor, where there is one."""

    username: Words
    password: Words
    code: str | None = None


class SecondBody(Loose):
    """`ticket` of the first step, and the code; or `send`: "sms" for one."""

    ticket: Words
    code: str | None = None
    send: str | None = None


class RefreshBody(Loose):
    """Good once."""

    refresh_token: Words


class ResetBody(Loose):
    """First the name alone; then with the code, and the password from here on."""

    username: Words
    code: str | None = None
    password: str | None = None
    second_factor: str | None = None


class TicketBody(Loose):
    """Of a login under way, or none."""

    ticket: str | None = None


class PasskeyBody(Loose):
    """What the browser's authenticator gave (WebAuthn Level 3 §5.1)."""

    passkey: dict[str, Any]
    ticket: str | None = None


class NewPasskeyBody(Loose):
    """The same for a new one; `second_factor`: the password is not enough any more."""

    passkey: dict[str, Any]
    name: str | None = None
    second_factor: bool = True


class RenameBody(Loose):
    """Another name."""

    name: Words


class PhoneBody(Loose):
    """E.164."""

    phone: Words


class SmsCodeBody(Loose):
    """The code that came."""

    code: Words


class Sent(Give):
    """In how many seconds the code is over."""

    expires_in: int


class Verified(Give):
    """The account that came of it."""

    address: str


class Tokens(Give):
    """RFC 6749 §5.1."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class PublicKey(Give):
    """For navigator.credentials."""

    publicKey: dict[str, Any]  # noqa: N815 - the browser's name


class Passkey(Give):
    """A passkey."""

    id: int
    name: str
    created: Time
    last_used: Time | None
    last_address: str | None
    synced: bool
    second_factor: bool


class Passkeys(Give):
    """All."""

    passkeys: list[Passkey]


class Factor(Give):
    """What is asked for beside the password."""

    second_factor: list[str]
    recovery_codes: int
    phone: str | None


class FactorCodes(Give):
    """Recovery codes that came with it."""

    recovery_codes: list[str]


def entry_endpoints() -> Sequence[Endpoint]:
    """Without handlers."""
    return [
        _one("POST", "/register", "register", "Sign up", RegisterBody, Sent, 202),
        _one("POST", "/verify", "verify", "Make the account", VerifyBody, Verified),
        _one("POST", "/login", "login", "Log in", LoginBody, Tokens),
        _one("POST", "/login/2fa", "loginSecond", "The second step", SecondBody, Tokens),
        _one("POST", "/login/passkey/options", "passkeyLogin", "By passkey", TicketBody, PublicKey),
        _one("POST", "/login/passkey", "finishPasskeyLogin", "By passkey", PasskeyBody, Tokens),
        _one("POST", "/token/refresh", "refresh", "Other tokens", RefreshBody, Tokens),
        _one("POST", "/reset", "reset", "A forgotten password", ResetBody, Sent, 202),
        _own("POST", "/logout", "logout", "End the session"),
        _own("POST", "/passkeys/options", "beginPasskey", "For a new passkey", None, PublicKey),
        _own("POST", "/passkeys", "addPasskey", "Store a passkey", NewPasskeyBody, Passkey, 201),
        _own("GET", "/passkeys", "listPasskeys", "Passkeys", None, Passkeys),
        _own("PATCH", "/passkeys/{id}", "renamePasskey", "Rename one", RenameBody, Passkey),
        _own("DELETE", "/passkeys/{id}", "deletePasskey", "Delete one"),
        _own("GET", "/second-factor", "getFactor", "The second factor", None, Factor),
        _own("POST", "/second-factor/sms", "beginSms", "A code by SMS", PhoneBody, Sent, 202),
        _own("POST", "/second-factor/sms/verify", "confirmSms", "On", SmsCodeBody, FactorCodes),
        _own("DELETE", "/second-factor/sms", "removeSms", "No more codes by SMS"),
    ]


def _one(
    method: str,
    path: str,
    name: str,
    summary: str,
    takes: type[Take] | None,
    gives: type[Give] | None,
    status: int = 200,
    access: Access = Access.PUBLIC,
) -> Endpoint:
    return Endpoint(
        *(method, path, TAG, name, summary, None, access, takes),
        gives=gives,
        status=status,
        refused=(401, 409, 410, 413, 415),
    )


def _own(
    method: str,
    path: str,
    name: str,
    summary: str,
    takes: type[Take] | None = None,
    gives: type[Give] | None = None,
    status: int = 200,
) -> Endpoint:
    return _one(method, path, name, summary, takes, gives, status, Access.SESSION)
