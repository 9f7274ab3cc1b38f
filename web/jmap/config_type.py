"""What all object types have in common whose objects are rows of config.db: states and /changes by
storage/config_changes.py.
"""

from abc import abstractmethod
from typing import ClassVar

from storage.config_changes import config_changes, state_of
from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.errors import TooOld
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError
from web.jmap.mail.states import modseq_of
from web.jmap.methods import Call
from web.jmap.standard import Changeable, Changes


class ConfigType(Changeable[Context, Account]):
    """`kinds` are those of the journal that tell of the type's objects."""

    kinds: ClassVar[frozenset[Kind]]

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    def account(self, call: Call[Context], account_id: str) -> Account:
        return account_of(call, account_id)

    def is_read_only(self, account: Account) -> bool:
        return account.grant.read_only

    async def state(self, account: Account) -> str:
        return str(await state_of(self._database, account.id, self.kinds))

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        try:
            found = await config_changes(
                self._database, account.id, self.kinds, modseq_of(since), limit
            )
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        created, updated, destroyed = (
            [self.id_of(account, one) for one in ids]
            for ids in (found.created, found.updated, found.destroyed)
        )
        return Changes(str(found.until), created, updated, destroyed, found.has_more)

    @abstractmethod
    def id_of(self, account: Account, what: str) -> str:
        """The object's id, by what the journal says of it."""
