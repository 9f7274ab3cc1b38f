"""What the token endpoint gives (RFC 6749 §4.1.3, §6; RFC 8628 §3.4): for a code, for a refresh
token, for a device.

Invariants: what is given is a credential of the account, listed and revoked like others; a code or
refresh token that comes a second time takes back what the first gave; nothing outlives the session
in which it was allowed while it waits to be fetched.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from auth.audit import Audit
from auth.caller import Caller
from auth.generated import device_code, digest, token_digest, user_code, user_code_digest
from auth.issuing import Issuer, Tokens
from auth.oauth.errors import OAuthError
from auth.oauth.identity import Identity
from auth.oauth.scopes import OPENID, narrowed, parse_scopes, refreshes, shown, terms_of
from auth.service import Visitor
from net.limits import address_key
from storage.audit_values import Kind
from storage.credential_values import Credential, CredentialId, CredentialKind, Terms
from storage.directory import Directory
from storage.directory_values import Absent, Account, NotAllowed
from storage.oauth_clients import OAuthClient
from storage.oauth_codes import OAuthCodes, Replayed
from storage.oauth_devices import LIFE, PAUSE, OAuthDevice, OAuthDevices, Waiting
from storage.values import AccountId

DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
GRANTS: Final = ("authorization_code", "refresh_token", DEVICE)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CODE: Final = re.compile(r"ms[kd]_[A-Za-z0-9_-]{43}")
_NOT_GOOD: Final = "It is not good, or not good any more"


class Granting:
    """`unused` is the seconds after which a grant that nobody refreshes ends. Raises OAuthError,
    StoreError, OSError.
    """

    def __init__(
        self,
        directory: Directory,
        issuer: Issuer,
        identity: Identity,
        codes: OAuthCodes,
        devices: OAuthDevices,
        audit: Audit,
    ) -> None:
        self._directory, self._issuer, self._identity = directory, issuer, identity
        self._codes, self._devices, self._audit = codes, devices, audit
        self.unused = 0.0

    async def grant(
        self, client: OAuthClient, form: Mapping[str, str], caller: Caller
    ) -> dict[str, Any]:
        """The answer of RFC 6749 §5.1."""
        if OPENID in client.scopes:  # what is spent below is lost when no ID token can be signed
            await self._identity.ready()
        try:
            match form.get("grant_type", ""):
                case "authorization_code":
                    return await self._of_code(client, form)
                case "refresh_token":
                    return await self._of_refresh(client, form, caller)
                case grant if grant == DEVICE:
                    return await self._of_device(client, form)
                case "":
                    raise OAuthError("invalid_request", "grant_type is needed")
            raise OAuthError("unsupported_grant_type", f"grant_type is {', '.join(GRANTS)}")
        except OAuthError as error:
            if error.error not in (Waiting.PENDING.value, Waiting.TOO_SOON.value):
                self.refused(caller, f"{client.name}: {error.error}")
            raise

    def refused(self, caller: Caller, detail: str) -> None:
        """Puts a refusal into the audit log."""
        self._audit.record(
            Kind.FAILED,
            None,
            address=caller.peer,
            protocol=caller.protocol.value,
            client=caller.client,
            detail=f"oauth: {detail}",
        )

    async def begin_device(
        self, client: OAuthClient, form: Mapping[str, str], issuer: str, caller: Caller
    ) -> dict[str, Any]:
        """The answer of RFC 8628 §3.2. Nobody who gave himself a name may send users after a code
        (§5.4).
        """
        if client.registered:
            raise OAuthError("unauthorized_client", "It registered itself: not for devices")
        scopes = tuple(one for one in parse_scopes(form.get("scope", "")) if one in client.scopes)
        if not scopes:
            raise OAuthError("invalid_scope", "none of the scopes may be asked for")
        device, user = device_code(), user_code()
        waiting = OAuthDevice(client.id, scopes)
        try:
            key = address_key(caller.peer)
            await self._devices.add(digest(device), user_code_digest(user) or b"", waiting, key)
        except NotAllowed as error:
            raise OAuthError("temporarily_unavailable", str(error), 429, wait=LIFE) from None
        return {
            "device_code": device,
            "user_code": user,
            "verification_uri": f"{issuer}/oauth/device",
            "verification_uri_complete": f"{issuer}/oauth/device?user_code={user}",
            "expires_in": int(LIFE),
            "interval": int(PAUSE),
        }

    async def _of_code(self, client: OAuthClient, form: Mapping[str, str]) -> dict[str, Any]:
        given = form.get("code", "")
        if not given:
            raise OAuthError("invalid_request", "code is needed")
        key = digest(given)
        code = await self._codes.take(key) if _CODE.fullmatch(given) else None
        if isinstance(code, Replayed):
            await self._take_back(code.account, code.credential)
            raise OAuthError("invalid_grant", "The code was used before")
        if code is None or code.client != client.id:
            raise OAuthError("invalid_grant", _NOT_GOOD)
        if form.get("redirect_uri", code.redirect) != code.redirect:
            raise OAuthError("invalid_grant", "It was another redirect_uri")
        if not _proves(form.get("code_verifier", ""), code.challenge):
            raise OAuthError("invalid_grant", "The code_verifier does not fit")
        terms = terms_of(client.id, code.scopes, code.authenticated)
        account, tokens = await self._open(client, code.account, code.session, terms)
        if not await self._codes.bind(key, tokens.credential.id):
            await self._take_back(account.id, tokens.credential.id)
            raise OAuthError("invalid_grant", "The code was used twice")
        return await self._answer(client, account, tokens, code.nonce)

    async def _of_refresh(
        self, client: OAuthClient, form: Mapping[str, str], caller: Caller
    ) -> dict[str, Any]:
        given = form.get("refresh_token", "")
        if not given:
            raise OAuthError("invalid_request", "refresh_token is needed")
        key = token_digest(given)
        found = None if key is None else await self._directory.credentials.find_refresh(key)
        if found is not None and found.terms.client != client.id:
            raise OAuthError("invalid_grant", _NOT_GOOD)
        terms = None if found is None else narrowed(found.terms, form.get("scope"))
        if found is not None and terms is None:
            raise OAuthError("invalid_scope", "The scope is wider than what was allowed, or none")
        # also when it is not found: one that was used before ends what it belongs to
        tokens = await self._issuer.refresh(given, CredentialKind.OAUTH, self.unused, terms)
        if tokens is None:
            raise OAuthError("invalid_grant", _NOT_GOOD)
        credential = tokens.credential
        account = await self._directory.account_by_id(credential.account)
        if account is None:
            raise OAuthError("invalid_grant", _NOT_GOOD)
        self._directory.credentials.used(credential, caller.peer, caller.protocol.value)
        return await self._answer(client, account, tokens)

    async def _of_device(self, client: OAuthClient, form: Mapping[str, str]) -> dict[str, Any]:
        given = form.get("device_code", "")
        if not given:
            raise OAuthError("invalid_request", "device_code is needed")
        found = (
            await self._devices.ask(digest(given), client.id) if _CODE.fullmatch(given) else None
        )
        if found is None:
            raise OAuthError("invalid_grant", _NOT_GOOD)
        if isinstance(found, Waiting):
            raise OAuthError(found.value, _WAITING[found])
        terms = terms_of(client.id, found.scopes, found.authenticated)
        account, tokens = await self._open(client, found.account, found.session, terms)
        return await self._answer(client, account, tokens)

    async def _open(
        self, client: OAuthClient, number: AccountId, session: CredentialId, terms: Terms
    ) -> tuple[Account, Tokens]:
        """While the session in which it was allowed is there: a new password, or the account's end,
        has ended that.
        """
        account = await self._directory.account_by_id(number)
        if account is None or not account.enabled:
            raise OAuthError("invalid_grant", _NOT_GOOD)
        try:
            return account, await self._issuer.open_oauth(
                account,
                client.name,
                terms,
                session,
                life=self.unused,
                refreshes=refreshes(terms.scopes),
            )
        except NotAllowed as error:
            raise OAuthError("invalid_grant", str(error)) from None

    async def _answer(
        self, client: OAuthClient, account: Account, tokens: Tokens, nonce: str = ""
    ) -> dict[str, Any]:
        credential = tokens.credential
        scopes = credential.terms.scopes
        answer: dict[str, Any] = {
            "access_token": tokens.access,
            "token_type": "Bearer",
            "expires_in": tokens.seconds,
            "scope": shown(scopes),
        }
        if tokens.refresh:
            answer["refresh_token"] = tokens.refresh
        if OPENID in scopes:
            answer["id_token"] = await self._identity.id_token(
                account,
                client.id,
                scopes,
                access=tokens.access,
                authenticated=credential.terms.authenticated or credential.created,
                nonce=nonce,
            )
        return answer

    async def _take_back(self, number: AccountId, credential: CredentialId | None) -> None:
        account = await self._directory.account_by_id(number)
        if account is None or credential is None:
            return
        try:
            await self._issuer.revoke(account, credential)
        except Absent:
            return


class Devices:
    """The user's side of a device that waits (RFC 8628 §3.3). Raises StoreError."""

    def __init__(self, devices: OAuthDevices, audit: Audit) -> None:
        self._devices, self._audit = devices, audit

    async def find(self, typed: str) -> OAuthDevice | None:
        """Which device shows this code."""
        key = user_code_digest(typed)
        return None if key is None else await self._devices.of_user_code(key)

    async def answer(
        self, typed: str, name: str, allowed: bool, visitor: Visitor, caller: Caller
    ) -> bool:
        """Tells the device of the client `name` what the user said; False when it waits no more."""
        key = user_code_digest(typed) or b""
        found = await self._devices.of_user_code(key)
        told = found is not None and await self._devices.answer(
            key, allowed, visitor.account, visitor.session, visitor.since
        )
        if told and found is not None:
            self._audit.record(
                Kind.CONSENT if allowed else Kind.DENIED,
                visitor.account,
                visitor.address,
                address=caller.peer,
                protocol=caller.protocol.value,
                client=caller.client,
                credential=str(visitor.session),
                detail=f"{name} (device): {shown(found.scopes)}",
            )
        return told


_WAITING: Final = {
    Waiting.PENDING: "The user has not answered yet",
    Waiting.TOO_SOON: "Ask less often: five seconds more from here on",
    Waiting.DENIED: "The user refused",
    Waiting.EXPIRED: "The time for an answer is over",
}


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636 §4.6, by S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    made = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(made, challenge)


def is_of(credential: Credential | None, client: OAuthClient) -> bool:
    """Whether it is what a user allowed this client."""
    return (
        credential is not None
        and credential.kind is CredentialKind.OAUTH
        and credential.terms.client == client.id
    )
