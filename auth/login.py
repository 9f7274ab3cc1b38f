"""Who is this: a user name and a password in, a Login or a Refused out.

Names are found by auth/names.py; delay, queue and hash are in auth/checking.py, what proves a user
otherwise in auth/proofs.py, what hears of the outcome in auth/outcomes.py, hashes to store in
auth/hashes.py. Invariants: a name that nobody has costs the same hash as one that somebody has; the
answer to a disabled account or an unknown name is that of a wrong password; no password is kept.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from auth.acting import Acting
from auth.agents import Agents
from auth.arrivals import Arrivals
from auth.audit import Audit
from auth.blocking import Blocker
from auth.caller import Caller
from auth.checking import Checked, Elsewhere, PasswordChecks
from auth.expiring import Expiring
from auth.grant import FULL, Grant, grant_of
from auth.half_logins import HalfLogins
from auth.hashes import Hashes
from auth.issuing import Issuer
from auth.login_values import Cause, Login, Refused
from auth.names import Names
from auth.networks import in_networks
from auth.oauth.scopes import OF_MAIL
from auth.outcomes import Outcomes
from auth.password import dummy_hash
from auth.proofs import FindOutside, Found, Proofs
from auth.sasl import registry
from auth.sasl.channel import Channel, Supported
from auth.sasl.exchange import Exchange, Verified
from auth.sasl.keys import KeyOffer, Keys
from auth.scram_keys import ALWAYS, ScramKeys
from auth.second_factor import SecondFactor
from auth.sources import Sources
from auth.throttle import Throttle
from config.clock import Clock
from config.fields import network
from config.issuer import discovery_of
from config.logging import get_logger
from config.settings import Settings
from net.threads import Offload
from storage.credential_values import Credential, Protocol
from storage.directory import Directory
from storage.directory_values import Account, AccountChange
from storage.second_factors import Spent

_CAUSES = {
    Checked.WRONG: Cause.CREDENTIALS,
    Checked.THROTTLED: Cause.THROTTLED,
    Checked.BUSY: Cause.BUSY,
}


class Authenticator:
    """The one door of every protocol. Close it before its directory."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        offload: Offload,
        clock: Clock,
        sources: Sources | None = None,
    ) -> None:
        self._directory, self._offload, self._clock = directory, offload, clock
        self._sources = sources
        self._log, self._names = get_logger("auth"), Names(directory)
        known = directory.known_logins
        self.audit = Audit(directory, clock)
        self.arrivals = Arrivals(known)
        self.throttle = Throttle(clock, known)
        self._checks = PasswordChecks(offload, self.throttle, clock)
        self._blocker = Blocker(directory.blocks, known, self.audit, clock)
        self.throttle.on_failure = self._blocker.failed
        self._outcomes = Outcomes(self.audit, self.arrivals, self.throttle, clock)
        self._scram = ScramKeys(directory.secrets)
        self._hashes = Hashes(directory, self._names, self._scram, offload)
        self.issuer = Issuer(directory, clock, self.audit, self._hashes.scram_for)
        self.second_factor = SecondFactor(directory, clock, self.audit)
        self._halves = HalfLogins(directory, clock)
        self.agents = Agents(self.audit, clock)
        self.acting = Acting(directory, self.audit)
        self._expiring = Expiring(directory.credentials, clock)
        self._proofs = Proofs(directory, self.throttle, self._scram, self._names)
        self._unsubscribe = directory.on_change(self._forget)
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Takes [auth] and filters.local_networks of a changed configuration."""
        self._hashes.rounds = self._checks.rounds = settings.auth.bcrypt_rounds
        sha_1 = settings.auth.scram_sha_1
        scram = settings.auth.scram
        self._supported = Supported(
            scram_sha_1=sha_1,
            bearer=True,
            acting=settings.auth.act_as_users,
            scram=scram == "on" or (scram == "auto" and not settings.auth.source),
            discovery=discovery_of(settings),
            scope=OF_MAIL,
        )
        self._scram.mechanisms = (*ALWAYS, "SCRAM-SHA-1") if sha_1 else ALWAYS
        self._hashes.leaked = settings.auth.leaked_passwords
        self.acting.allowed = settings.auth.act_as_users
        self.throttle.unlimited = settings.filters.local_networks
        self._blocker.reload(settings)

    def on_revoke(self, callback: Callable[[AccountChange], None]) -> Callable[[], None]:
        """Calls back in the loop when sessions must close, those that Login.ended_by says: new
        password, disabled, deleted, a credential revoked. Returns the unsubscriber.
        """
        return self._directory.on_change(
            lambda change: callback(change) if change.revokes else None
        )

    async def login(
        self,
        user: str,
        password: str,
        *,
        peer: str,
        protocol: Protocol,
        connection: str = "",
        client: str = "",
        code: str = "",
    ) -> Login | Refused:
        """Verifies a password: the account's, an app password or a token; on the web with `code`
        where the account has a second factor. `user` is the full address, or its local part where
        exactly one domain is served; `peer` the IP address; `connection` (its id) and `client` (as
        it calls itself) are for the logs. Raises StoreUnavailable.
        """
        begun = self._clock.monotonic()
        name, account = await self._names.find(user, peer)
        proved = await self._proofs.secret(account, password, peer)
        outcome: Login | Refused
        if proved is not None:
            account, credential = proved
            outcome = self.admit(account, credential, peer=peer, protocol=protocol)
        else:
            sources, asked = self._sources, self._names.mailbox(user)
            elsewhere = sources.elsewhere(account, asked, begun) if sources else None
            outcome = await self._outcome(name, account, password, peer, elsewhere)
            if account is not None and isinstance(outcome, Login):
                outcome = await self._with_factor(account, outcome, protocol, code)
        return self._outcomes.told(account, outcome, Caller(peer, protocol, connection, client))

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """SASL mechanisms that may be used on a connection, in order of preference."""
        return registry.mechanisms(channel, self._supported)

    def exchange(self, mechanism: str, channel: Channel) -> Exchange:
        """A run of a mechanism for exchanging.run_exchange. Raises registry.UnknownMechanism."""
        return registry.exchange(mechanism, channel, self._supported)

    async def scram_keys(self, user: str, mechanism: str, caller: Caller) -> KeyOffer:
        """What SCRAM goes on with, whether there is such a user or not. Raises StoreUnavailable."""
        return await self._proofs.offer(user, mechanism, caller)

    async def login_scram(
        self, user: str, keys: Keys | None, mechanism: str, caller: Caller
    ) -> Login | Refused:
        """The login of who proved to know the password of `keys`; None when nothing was proved.
        Raises StoreUnavailable.
        """
        return await self._judged(await self._proofs.scram(user, keys, mechanism, caller), caller)

    async def still_proved(self, proof: Verified, caller: Caller) -> bool:
        """Whether what login_scram said still holds, after the client was waited for. Await
        nothing between this and the moment from which the session hears of revocations.
        """
        found = await self._proofs.again(proof.user, proof.keys, proof.mechanism, caller)
        if found.account is None or found.checked is not Checked.RIGHT:
            return False
        if found.credential is not None:
            return not found.credential.is_over(self._clock.now())
        login = _login(found.account)
        return isinstance(await self._with_factor(found.account, login, caller.protocol, ""), Login)

    async def login_bearer(self, user: str, token: str, caller: Caller) -> Login | Refused:
        """The login of a token's account, which is `user` unless that is "". Raises
        StoreUnavailable.
        """
        return await self._judged(await self._proofs.bearer(user, token, caller), caller)

    async def login_external(
        self, user: str, names: tuple[str, ...], caller: Caller
    ) -> Login | Refused:
        """The login of whom a verified client certificate with these addresses names, as `user`
        unless that is "". Raises StoreUnavailable.
        """
        return self.login_proved(await self._proofs.external(user, names, caller), caller)

    async def login_outside(self, account: Account | None, caller: Caller) -> Login | Refused:
        """The login of whom the outside identity provider vouched for, None for nobody of ours; a
        second factor of the account is asked for here. Raises StoreUnavailable.
        """
        if account is None or not account.enabled:
            return self._outcomes.told(account, Refused(Cause.CREDENTIALS), caller)
        outcome = await self._with_factor(account, _login(account), caller.protocol, "")
        return self._outcomes.told(account, outcome, caller)

    def accept_outside(self, find: FindOutside) -> None:
        """`find` knows access tokens of the outside provider."""
        self._proofs.outside = find

    def login_proved(self, found: Found, caller: Caller) -> Login | Refused:
        """The login of whom a certificate or a passkey proved, which needs no second factor. Await
        nothing between this and the moment from which the session hears of revocations.
        """
        account = found.account
        if found.checked is not Checked.RIGHT or account is None or not account.enabled:
            cause = _CAUSES.get(found.checked, Cause.CREDENTIALS)
            return self._outcomes.told(account, Refused(cause), caller)
        return self._outcomes.told(account, _login(account), caller)

    async def half_login(self, ticket: str) -> Account | None:
        """Whose login a ticket stands for, None for nobody's any more."""
        return await self._halves.find(ticket)

    async def login_second(
        self, ticket: str, caller: Caller, prove: Callable[[Account], Awaitable[Spent]]
    ) -> Login | Refused:
        """Goes on where the password was right; `prove` says what the second factor is. A right one
        uses the ticket. Raises StoreUnavailable.
        """
        account = await self._halves.find(ticket)
        if account is None:
            return self._outcomes.told(None, Refused(Cause.TICKET), caller)
        spent = await prove(account)
        if spent is not Spent.TAKEN:
            return self._outcomes.told(account, await self._no_factor(account, spent), caller)
        taken = await self._halves.take(ticket)
        now = await self._directory.account_by_id(account.id)  # the last thing that is waited for
        same = now is not None and now.enabled and now.password_hash == account.password_hash
        outcome = _login(account) if taken and same else Refused(Cause.TICKET)
        return self._outcomes.told(account, outcome, caller)

    def admit(
        self, account: Account, credential: Credential, *, peer: str, protocol: Protocol
    ) -> Login | Refused:
        """The login of who knows the secret of a credential of the account. Await nothing between
        this and the moment from which the session hears of revocations.
        """
        if not account.enabled or credential.account != account.id:
            return Refused(Cause.CREDENTIALS)
        terms = credential.terms
        if credential.is_over(self._clock.now()):
            return Refused(Cause.EXPIRED)
        if protocol not in terms.protocols:
            return Refused(Cause.PROTOCOL)
        if terms.networks and not in_networks(peer, map(network, terms.networks)):
            return Refused(Cause.NETWORK)
        self._directory.credentials.used(credential, peer, protocol.value)
        login = _login(account, grant_of(credential))
        self._expiring.watch(account.id, login.grant)
        return login

    async def hash_password(self, password: str) -> str:
        """The hash to store of a password that may be chosen. Raises auth.password.PasswordError,
        net.threads.Busy.
        """
        return await self._hashes.of_password(password)

    async def scram_for(self, address: str, password: str) -> str:
        """The keys to store beside the hash. Raises net.threads.Busy, StoreError."""
        return await self._hashes.scram_for(address, password)

    async def take_over(self, folder: Path) -> None:
        """Takes what the server before this one left there."""
        try:
            await self._offload.disk(self._checks.handover.take, folder)
        except OSError as error:
            self._log.warning("logins of before are not known", reason=str(error))

    async def hand_over(self, folder: Path) -> None:
        """Leaves what the next server needs to let the same clients in quickly."""
        try:
            await self._offload.disk(self._checks.handover.leave, folder)
        except OSError as error:
            self._log.warning("logins could not be handed over", reason=str(error))

    async def settle(self) -> None:
        """Returns when the blocks that failures led to are in force."""
        await self._blocker.settle()

    async def close(self) -> None:
        """Waits for hashes under way."""
        self._unsubscribe()
        self.audit.close()
        self._expiring.close()
        await self._checks.close()
        await self._hashes.close()
        await self._blocker.settle()

    async def _judged(self, found: Found, caller: Caller) -> Login | Refused:
        account, protocol = found.account, caller.protocol
        outcome: Login | Refused
        if found.checked is not Checked.RIGHT or account is None:
            outcome = Refused(_CAUSES[found.checked])
        elif found.credential is None:
            login = _login(account, found.outside or FULL)
            outcome = await self._with_factor(account, login, protocol, "")
            if isinstance(outcome, Login):
                self._expiring.watch(account.id, login.grant)
        else:
            outcome = self.admit(account, found.credential, peer=caller.peer, protocol=protocol)
        return self._outcomes.told(account, outcome, caller)

    async def _with_factor(
        self, account: Account, login: Login, protocol: Protocol, code: str
    ) -> Login | Refused:
        """What becomes of the right account password where there is a second factor."""
        before = self._directory.credentials.passwords(account.id)
        factors = self._directory.second_factors
        generation = factors.generation
        if not await factors.is_on(account.id):
            if not await self._still(account, before):
                return Refused(Cause.CREDENTIALS)
            if factors.generation != generation:  # one may have been switched on meanwhile
                return await self._with_factor(account, login, protocol, code)
            return login
        if protocol is not Protocol.WEB:
            return Refused(Cause.APP_PASSWORD)
        if not code:
            kinds = await factors.kinds(account.id)
            return Refused(Cause.CODE, kinds, await self._ticket(account, before))
        spent = await self.second_factor.check(account, code)
        if spent is not Spent.TAKEN:
            return await self._no_factor(account, spent)
        return login if await self._still(account, before) else Refused(Cause.CREDENTIALS)

    async def _ticket(self, account: Account, before: int) -> str:
        """Good for as long as the stored hash is what it is, so that is made anew first."""
        await self._hashes.improved(account.id)
        now = await self._directory.account_by_id(account.id)
        unchanged = now is not None and self._directory.credentials.passwords(now.id) == before
        return await self._halves.add(now) if now is not None and unchanged else ""

    async def _no_factor(self, account: Account, spent: Spent) -> Refused:
        if spent is Spent.TOO_MANY:
            return Refused(Cause.THROTTLED)
        return Refused(Cause.WRONG_CODE, await self._directory.second_factors.kinds(account.id))

    async def _still(self, account: Account, before: int) -> bool:
        """Whether the account may log in with the password it had when `before` were counted."""
        now = await self._directory.account(account.address)
        changed = self._directory.credentials.passwords(account.id) != before
        return now is not None and now.id == account.id and now.enabled and not changed

    async def _outcome(
        self,
        name: str,
        account: Account | None,
        password: str,
        peer: str,
        elsewhere: Elsewhere | None,
    ) -> Login | Refused:
        usable = account if account and account.enabled and _has_password(account) else None
        stored = (
            usable.password_hash or usable.source if usable else dummy_hash(self._hashes.rounds)
        )
        if usable is None and elsewhere is not None:
            elsewhere = Elsewhere(elsewhere.begun)
        owner = usable.id if usable else None
        checked = await self._checks.check(name, owner, password, stored, peer, elsewhere)
        if checked is not Checked.RIGHT:
            return Refused(_CAUSES[checked])
        if usable is None or not await self._unchanged(usable):
            return Refused(Cause.CREDENTIALS)
        self._hashes.improve(usable, password)
        return _login(usable)

    async def _unchanged(self, account: Account) -> bool:
        """Whether the account is still what it was before the hash: seconds may have passed."""
        current = await self._directory.account(account.address)
        return (
            current is not None
            and current.enabled
            and current.id == account.id
            and current.password_hash == account.password_hash
        )

    def _forget(self, change: AccountChange) -> None:
        if not change.revokes:
            return
        self._expiring.ended(change)
        if change.credential is None:
            self._checks.forget(change.account)


def _login(account: Account, grant: Grant = FULL) -> Login:
    return Login(account.id, account.address, account.admin, grant)


def _has_password(account: Account) -> bool:
    return bool(account.password_hash or account.source)
