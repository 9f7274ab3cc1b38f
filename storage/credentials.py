"""App passwords, tokens and sessions of all accounts: kept by the hash of their secret.

Invariants: one process writes; a revocation is committed, then told to the listeners of the
directory, which close what the credential opened; a look-up never gives what is revoked. Secrets
themselves never come here.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_auth_tables import credential as table
from storage.config_database import ConfigDatabase
from storage.config_schema import account as accounts
from storage.credential_uses import CredentialUses
from storage.credential_values import Credential, CredentialId, CredentialKind, Terms, Use
from storage.directory_values import Absent, AccountChange, ChangeKind, NotAllowed
from storage.push_subscriptions import end_of_password
from storage.token_cache import TokenCache
from storage.values import AccountId

MAX_OF_ACCOUNT: Final = 200
"""Of one kind; of sessions the oldest go when there are more."""
_c = table.c
_COLUMNS = (
    _c.id,
    _c.account,
    _c.kind,
    _c.name,
    _c.terms,
    _c.created,
    _c.expires,
    _c.access_until,
    _c.used,
    _c.used_from,
    _c.used_by,
)
_MADE_ROOM = (CredentialKind.SESSION, CredentialKind.BROWSER, CredentialKind.OAUTH)
_BY_PASSWORD = tuple(kind for kind in CredentialKind if kind is not CredentialKind.APP_PASSWORD)


class Credentials:
    """Belongs to the directory, whose database and listeners it uses. Digests are SHA-256 of the
    secret.
    """

    def __init__(
        self, database: ConfigDatabase, clock: Clock, publish: Callable[[AccountChange], None]
    ) -> None:
        self._database, self._clock, self._publish = database, clock, publish
        self._known: TokenCache[Credential] = TokenCache(clock)
        self._passwords: Counter[AccountId] = Counter()
        self.uses = CredentialUses(database, clock)

    async def find(self, digest: bytes) -> Credential | None:
        """Whose secret has this digest, also when its time is over. Raises StoreUnavailable."""
        remembered = self._known.get(digest)
        while remembered is None:
            generation = self._known.generation
            found = await self._database.finish(self._load(digest))
            account = found.account if found is not None else AccountId(0)
            if self._known.put(digest, found, account, generation) or found is None:
                return found
            remembered = self._known.get(digest)  # it may have been revoked meanwhile
        return remembered[0]

    async def scram_of(self, account: AccountId) -> list[tuple[str, Credential]]:
        """Keys of an account's app passwords (auth/sasl/keys.py); asked of the database each time,
        also for an account that there is not.
        """
        return await self._database.finish(self._scram_of(account))

    async def of(self, account: AccountId, *kinds: CredentialKind) -> list[Credential]:
        """Those of an account, in the order in which they were made."""
        return await self._database.finish(self._list(account, kinds))

    async def every(self, *kinds: CredentialKind) -> list[Credential]:
        """Those of all accounts, by account and in the order in which they were made."""
        return await self._database.finish(self._list(None, kinds))

    async def add(
        self,
        account: AccountId,
        kind: CredentialKind,
        name: str,
        terms: Terms,
        digest: bytes,
        *,
        expires: float | None = None,
        access_until: float | None = None,
        refresh_digest: bytes | None = None,
        scram: str = "",
        session: CredentialId | None = None,
        password_hash: str | None = None,
    ) -> Credential:
        """`session` is that of the account in which it was allowed, `password_hash` what the
        account must have still, None for any. Raises NotAllowed (too many, a time that is over,
        what a password ends after the account got another since the call, another hash, a session
        that has ended).
        """
        values = {
            "account": account,
            "kind": kind.value,
            "name": name,
            "terms": terms.pack(),
            "created": self._clock.now(),
            "expires": expires,
            "access_until": access_until,
            "hash": digest,
            "refresh_hash": refresh_digest,
            "scram": scram,
        }
        if expires is not None and expires <= self._clock.now():
            raise NotAllowed("The time until which it shall be good is over")
        password = self.passwords(account) if kind in _BY_PASSWORD else None
        return await self._database.finish(self._add(values, password, session, password_hash))

    async def revoke(self, account: AccountId, number: CredentialId) -> Credential:
        """Ends one, and the connections that it opened. Raises Absent."""
        found = await self._database.finish(self._end(account, _c.id == number))
        if not found:
            raise Absent("There is no such app password, token or session")
        return found[0]

    async def end(self, account: AccountId, *kinds: CredentialKind) -> list[Credential]:
        """Ends all of some kinds, and the connections that they opened."""
        return await self._database.finish(self._end(account, _c.kind.in_(kinds)))

    async def find_refresh(self, digest: bytes) -> Credential | None:
        """What has this refresh token, also when its time is over."""
        return await self._database.finish(self._load(digest, _c.refresh_hash))

    async def rotate(
        self,
        old: bytes,
        family: bytes,
        digest: bytes,
        refresh_digest: bytes,
        access_until: float,
        *,
        kind: CredentialKind = CredentialKind.SESSION,
        expires: float | None = None,
        terms: Terms | None = None,
    ) -> Credential | None:
        """Gives a session, or what a client of OAuth was allowed, new tokens for its refresh token
        `old`; None when there is nothing of this kind with it any more. A refresh token of the
        `family` that was used before ends all of it: one of the two who had it is a thief (RFC 9700
        §4.14.2). `expires` is another end and `terms` are others, if not None.
        """
        values: dict[str, Any] = {
            "hash": digest,
            "refresh_hash": refresh_digest,
            "spent_hash": family,
            "access_until": access_until,
        }
        if expires is not None:
            values["expires"] = expires
        if terms is not None:
            values["terms"] = terms.pack()
        return await self._database.finish(self._rotate(old, family, kind, values))

    def used(self, credential: Credential, address: str, protocol: str) -> None:
        """Notes a use; in SQL some seconds later."""
        self.uses.note(credential.id, Use(self._clock.now(), address, protocol))

    def tell_end(self, account: AccountId, credential: CredentialId) -> None:
        """Its time is over: what it opened closes."""
        self._publish(AccountChange(account, ChangeKind.CREDENTIAL, credential=credential))

    def passwords(self, account: AccountId) -> int:
        """How often the account got another password since the start."""
        return self._passwords[account]

    async def end_by_password(self, connection: AsyncConnection, account: AccountId) -> None:
        """In the transaction of a new account password: tokens, sessions and pushes go."""
        self._passwords[account] += 1
        mine = (_c.account == account) & _c.kind.in_(_BY_PASSWORD)
        await connection.execute(delete(table).where(mine))
        await end_of_password(connection, account)

    def heard(self, change: AccountChange) -> None:
        """Another process changed an account."""
        if change.kind is ChangeKind.PASSWORD:
            self._passwords[change.account] += 1
        self.forget(change.account)

    def forget(self, account: AccountId | None = None) -> None:
        """What is remembered of an account, or of all, may be old."""
        if account is None:
            self._known.clear()
        else:
            self._known.forget(account)

    async def close(self) -> None:
        await self.uses.close()

    async def _load(self, digest: bytes, of: Any = _c.hash) -> Credential | None:
        async with self._database.reading() as connection:
            query = select(*_COLUMNS).where(of == digest)
            row = (await connection.execute(query)).first()
        return None if row is None else _credential(row)

    async def _scram_of(self, account: AccountId) -> list[tuple[str, Credential]]:
        query = select(*_COLUMNS, _c.scram).where(_c.account == account, _c.scram != "")
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.order_by(_c.id))).all()
        return [(row.scram, _credential(row)) for row in rows]

    async def _list(
        self, account: AccountId | None, kinds: Sequence[CredentialKind]
    ) -> list[Credential]:
        query = select(*_COLUMNS).order_by(_c.account, _c.id)
        if account is not None:
            query = query.where(_c.account == account)
        if kinds:
            query = query.where(_c.kind.in_(kinds))
        async with self._database.reading() as connection:
            found = [_credential(row) for row in await connection.execute(query)]
        return [self.uses.applied(one) for one in found]

    async def _add(
        self,
        values: dict[str, Any],
        password: int | None,
        session: CredentialId | None,
        password_hash: str | None,
    ) -> Credential:
        ended: list[Credential] = []
        async with self._database.writing() as connection:
            if password is not None:
                stored = await _locked(connection, values["account"])
                changed = password != self.passwords(values["account"])
                if changed or password_hash not in (None, stored):
                    raise NotAllowed("The account's password was changed meanwhile")
            if session is not None:
                mine = (_c.id == session) & (_c.account == values["account"])
                alive = select(_c.id).where(mine, _c.expires > self._clock.now())
                if (await connection.execute(alive)).first() is None:
                    raise NotAllowed("The session in which it was allowed has ended")
            ended = await self._make_room(connection, values["account"], values["kind"])
            made = insert(table).values(values).returning(*_COLUMNS)
            credential = _credential((await connection.execute(made)).one())
        self._known.made(values["hash"])
        self._tell(ended)
        return credential

    async def _make_room(
        self, connection: AsyncConnection, account: AccountId, kind: str
    ) -> list[Credential]:
        mine = (_c.account == account) & (_c.kind == kind)
        count = select(func.count()).select_from(table).where(mine)
        if (await connection.execute(count)).scalar_one() < MAX_OF_ACCOUNT:
            return []
        if kind not in _MADE_ROOM:
            raise NotAllowed(f"The account has {MAX_OF_ACCOUNT} already; revoke some first")
        oldest = select(_c.id).where(mine).order_by(_c.id).limit(1)
        gone = delete(table).where(_c.id.in_(oldest)).returning(*_COLUMNS)
        return [_credential(row) for row in await connection.execute(gone)]

    async def _end(self, account: AccountId, which: Any) -> list[Credential]:
        async with self._database.writing() as connection:
            gone = delete(table).where(_c.account == account, which).returning(*_COLUMNS)
            ended = [_credential(row) for row in await connection.execute(gone)]
        self._tell(ended)
        return ended

    async def _rotate(
        self, old: bytes, family: bytes, kind: CredentialKind, values: dict[str, Any]
    ) -> Credential | None:
        ended: list[Credential] = []
        async with self._database.writing() as connection:
            mine = _c.kind == kind.value
            alive = (_c.refresh_hash == old) & (_c.expires > self._clock.now())
            change = update(table).where(mine, alive).values(values).returning(*_COLUMNS)
            row = (await connection.execute(change)).first()
            if row is None:
                spent = (_c.spent_hash == family) & (_c.refresh_hash != old)
                gone = delete(table).where(mine, spent).returning(*_COLUMNS)
                ended = [_credential(each) for each in await connection.execute(gone)]
        self._tell(ended)
        if row is None:
            return None
        self._known.made(values["hash"])
        self.forget(row.account)
        self._publish(AccountChange(row.account, ChangeKind.TOKENS))
        return _credential(row)

    def _tell(self, ended: Sequence[Credential]) -> None:
        for one in ended:
            self.forget(one.account)
            self.tell_end(one.account, one.id)


async def _has_hash(
    connection: AsyncConnection, account: AccountId, password_hash: str | None
) -> bool:
    """Another process that sets a password waits for the transaction, or is waited for."""
    if password_hash is None:
        return True
    query = select(accounts.c.password_hash).where(accounts.c.id == account).with_for_update()
    return bool((await connection.execute(query)).scalar() == password_hash)


async def _locked(connection: AsyncConnection, account: AccountId) -> str | None:
    """The account's hash; who sets another in another process waits, or was waited for."""
    query = select(accounts.c.password_hash).where(accounts.c.id == account).with_for_update()
    found: str | None = (await connection.execute(query)).scalar()
    return found


def _credential(row: Row[*tuple[Any, ...]]) -> Credential:
    use = None if row.used is None else Use(row.used, row.used_from, row.used_by)
    return Credential(
        row.id,
        row.account,
        CredentialKind(row.kind),
        row.name,
        Terms.unpack(row.terms),
        row.created,
        row.expires,
        row.access_until,
        use,
    )
