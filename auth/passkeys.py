"""Passkeys of accounts: made, and taken as a login or as the second factor after a password.

Invariants: a challenge is for one ceremony and, where there is an account or a session, for that
one; a signature counts once, for a passkey that is still there; a signature that comes with an old
counter is refused and written down. Signatures are computed beside the loop.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, ParamSpec, TypeVar

from auth import webauthn
from auth.audit import Audit
from auth.caller import Caller
from auth.challenges import Ceremony, Challenges
from auth.checking import Checked
from auth.login import Authenticator
from auth.login_values import Login, Refused
from auth.passkey_removal import delete_passkey
from auth.proofs import Found
from auth.second_factor import recovery_codes
from auth.service import Fault, Problem
from auth.webauthn import NotProved, Site
from config.clock import Clock
from config.logging import get_logger
from net.threads import Busy, Offload, Pool
from storage.audit_values import Kind
from storage.credential_values import CredentialId
from storage.directory import Directory
from storage.directory_values import Account, NotAllowed
from storage.passkeys import Passkey, PasskeyId, Signed
from storage.second_factors import Spent
from storage.values import AccountId

MAX_NAME: Final = 100
NAMELESS: Final = "passkey"
_HANDLES: Final = "passkey user handles"
Answer = Mapping[str, Any]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registered:
    """A passkey, and the recovery codes that an account gets with its first second factor."""

    passkey: Passkey
    codes: tuple[str, ...] = field(repr=False)


class PasskeyDesk:
    """One a process; `site` gives the relying party of the configuration in force."""

    def __init__(
        self,
        auth: Authenticator,
        directory: Directory,
        site: Callable[[], Site],
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._auth, self._directory, self._site = auth, directory, site
        self._kept, self._offload = directory.passkeys, offload
        self._challenges, self._log = Challenges(directory, clock), get_logger("auth")

    @property
    def _audit(self) -> Audit:
        return self._auth.audit

    async def begin(self, account: Account, session: CredentialId) -> dict[str, Any]:
        """Options for a browser that is to make one, asked for by a session of the account."""
        challenge = await self._challenges.make(Ceremony.REGISTER, _about(account.id, session))
        return webauthn.creation_options(
            self._site(),
            challenge,
            await self._handle(account.id),
            account.address,
            account.name,
            await self._kept.of(account.id),
        )

    async def register(
        self, account: Account, session: CredentialId, answer: Answer, name: str, *, factor: bool
    ) -> Registered:
        """Stores what a browser made; with `factor` the account password needs it from here on.
        Raises Problem, NotAllowed, AlreadyExists.
        """
        name = name.strip() or NAMELESS
        _check_name(name)
        try:
            challenge = webauthn.challenge_in(answer)
            about = _about(account.id, session)
            if not await self._challenges.is_good(challenge, Ceremony.REGISTER, about):
                raise NotProved("the challenge is not good, or not good any more")
            new = await self._compute(webauthn.registered, self._site(), answer, challenge)
        except NotProved as error:
            self._log.info("passkey not registered", account=account.address, reason=str(error))
            raise Problem(Fault.INVALID, f"The passkey cannot be taken: {error}") from None
        if not await self._challenges.spend(challenge):
            raise Problem(Fault.INVALID, "The passkey cannot be taken: it came before")
        codes, digests = recovery_codes()
        made, first = await self._kept.add(account.id, new, name, digests if factor else None)
        self._record(Kind.MADE, account, made)
        if first:
            self._audit.record(Kind.FACTOR_ON, account.id, account.address, detail="passkey")
        return Registered(made, tuple(codes) if first else ())

    async def sign_in_options(self) -> dict[str, Any]:
        """Options for a browser of which it is not known whose it is."""
        challenge = await self._challenges.make(Ceremony.SIGN_IN)
        return webauthn.request_options(self._site(), challenge)

    async def sign_in(self, answer: Answer, caller: Caller) -> Login | Refused:
        """The login of who signed, whose authenticator has verified its user. Raises
        StoreUnavailable.
        """
        return self._auth.login_proved(await self._found(answer, caller), caller)

    async def second_options(self, account: Account) -> dict[str, Any]:
        """Options for who has given the account's password."""
        challenge = await self._challenges.make(Ceremony.SECOND, str(account.id))
        known = [one for one in await self._kept.of(account.id) if one.factor]
        if not known:
            raise Problem(Fault.INVALID, "The account has no passkey as second factor")
        return webauthn.request_options(self._site(), challenge, known, verify=False)

    async def prove(self, account: Account, answer: Answer, caller: Caller) -> Spent:
        """Whether a passkey of the account signed, as second factor."""
        try:
            found = await self._signed(answer, caller, Ceremony.SECOND, account)
        except NotProved as error:
            self._told(error, caller)
            return Spent.WRONG
        return Spent.TAKEN if found.factor else Spent.WRONG

    async def of(self, account: AccountId) -> list[Passkey]:
        return await self._kept.of(account)

    async def rename(self, account: Account, number: PasskeyId, name: str) -> Passkey:
        """Raises Absent, NotAllowed."""
        name = name.strip()
        _check_name(name)
        return await self._kept.rename(account.id, number, name)

    async def delete(self, account: Account, number: PasskeyId) -> Passkey:
        """Raises Absent. Sessions that it opened go on."""
        return await delete_passkey(self._directory, self._audit, account, number)

    async def _found(self, answer: Answer, caller: Caller) -> Found:
        """Failures delay the address they come from, never an account."""
        try:
            claim = webauthn.claim_in(answer)
        except NotProved as error:
            self._told(error, caller)
            return Found(Checked.WRONG, None)
        name = f"passkey {claim.credential.hex()}"
        attempt = await self._auth.throttle.enter(caller.peer, name, None)
        if attempt is None:
            return Found(Checked.THROTTLED, None)
        try:
            used = await self._signed(answer, caller, Ceremony.SIGN_IN, None)
            account = await self._directory.account_by_id(used.account)
        except NotProved as error:
            attempt.wrong()
            self._told(error, caller)
            return Found(Checked.WRONG, None)
        except Problem:
            attempt.void()
            return Found(Checked.BUSY, None)
        except BaseException:
            attempt.void()
            raise
        attempt.right()
        return Found(Checked.RIGHT, account)

    async def _signed(
        self, answer: Answer, caller: Caller, ceremony: Ceremony, account: Account | None
    ) -> Passkey:
        """The passkey that signed; of `account`, or of any. Raises NotProved."""
        claim = webauthn.claim_in(answer)
        about = "" if account is None else str(account.id)
        if not await self._challenges.is_good(claim.challenge, ceremony, about):
            raise NotProved("the challenge is not good, or not good any more")
        kept = await self._kept.find(claim.credential)
        if kept is None or (account is not None and kept.account != account.id):
            raise NotProved("the passkey is unknown")
        # a passkey that names its user must name the right one (WebAuthn Level 3 §7.2 step 6)
        handle = await self._handle(kept.account)
        wanted = claim.handle is not None or account is None
        if wanted and not hmac.compare_digest(claim.handle or b"", handle):
            raise NotProved("the passkey is of another user")
        count = await self._compute(
            webauthn.asserted,
            self._site(),
            answer,
            claim.challenge,
            kept.key,
            verify=ceremony is Ceremony.SIGN_IN,
        )
        if not await self._challenges.spend(claim.challenge):
            raise NotProved("the answer came before")
        match await self._kept.signed(kept.id, count, caller.peer):
            case Signed.COUNTER:
                await self._suspect(kept, caller)
                raise NotProved("its counter went back: there may be a copy of it")
            case Signed.GONE:
                raise NotProved("the passkey is unknown")
        return kept

    async def _suspect(self, kept: Passkey, caller: Caller) -> None:
        """The owner reads in the audit log that there may be a second copy."""
        account = await self._directory.account_by_id(kept.account)
        if account is not None:
            self._audit.record(
                Kind.FAILED,
                account.id,
                account.address,
                address=caller.peer,
                protocol=caller.protocol.value,
                client=caller.client,
                detail=f"passkey {kept.id}: counter went back",
            )

    async def _compute(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._offload.run(Pool.SIGN, call, *args, **kwargs)
        except Busy:
            raise Problem(Fault.BUSY, wait=10) from None

    async def _handle(self, account: AccountId) -> bytes:
        """What authenticators know an account by: it says nothing to others (§14.6.1)."""
        key = await self._directory.secrets.get(_HANDLES)
        return hmac.digest(key, str(account).encode(), "sha256")

    def _told(self, error: NotProved, caller: Caller) -> None:
        self._log.info("passkey refused", peer=caller.peer, reason=str(error))

    def _record(self, kind: Kind, account: Account, one: Passkey) -> None:
        self._audit.record(kind, account.id, account.address, detail=f"passkey: {one.name}")


def _about(account: AccountId, session: CredentialId) -> str:
    return f"{account} {session}"


def _check_name(name: str) -> None:
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise NotAllowed(f"It needs a name of at most {MAX_NAME} printable characters")
