"""When credentials were last used, written some seconds later: a login must not cost a
transaction."""

from dataclasses import replace

from sqlalchemy import bindparam, delete, update

from storage.config_auth_tables import credential as table
from storage.credential_values import Credential, CredentialId, Use
from storage.write_behind import WriteBehind

LISTED_SECONDS = 30 * 86_400.0
_SET = (
    update(table)
    .where(table.c.id == bindparam("number"))
    .values(used=bindparam("at"), used_from=bindparam("address"), used_by=bindparam("protocol"))
)


class CredentialUses(WriteBehind[CredentialId, Use]):
    """The last use of each; what a kill takes with it is shown as not used."""

    log_of = "auth"
    not_written = "when credentials were used is not stored"
    flush_seconds = 2.0

    def note(self, credential: CredentialId, use: Use) -> None:
        """Shown at once, in SQL within about two seconds."""
        self._put(credential, use)

    def applied(self, credential: Credential) -> Credential:
        """The credential with a use that is not in SQL yet."""
        use = self._waiting.get(credential.id)
        return credential if use is None else replace(credential, used=use)

    async def prune(self) -> None:
        """Removes credentials whose time was over long ago; until then they are listed."""
        old = table.c.expires < self._clock.now() - LISTED_SECONDS
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(old))

    async def _write(self, waiting: dict[CredentialId, Use]) -> None:
        rows = [
            {"number": number, "at": use.at, "address": use.address, "protocol": use.protocol}
            for number, use in sorted(waiting.items())
        ]
        async with self._database.writing() as connection:
            await connection.execute(_SET, rows)
