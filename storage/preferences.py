"""What accounts prefer: their tags, which are IMAP keywords with a name and a colour, and settings
under typed keys; rows of config.db.

Rules that users write are Sieve scripts (storage/scripts.py). Invariants: a change is one
transaction with its row of the journal; a value has the type of its key, also when it is read.
"""

import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import delete, func, insert, select, update

from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, modseq_of, note
from storage.config_user_tables import preference, tag
from storage.errors import StoreError
from storage.values import AccountId

MAX_TAGS: Final = 200
MAX_VALUE: Final = 16 * 1024
# As tagging.rule in the configuration: an atom that is no system flag.
_KEYWORD: Final = re.compile(r"[!$&'+\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,64}")
_COLOUR: Final = re.compile(r"(#[0-9a-f]{6})?")
_NAME: Final = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,100}")
_t, _p = tag.c, preference.c
T = TypeVar("T", bool, int, str)


class BadPreference(StoreError):
    """A tag or value that can't be stored; the text says why."""


class NoSuchTag(StoreError):
    """The account has no tag with that keyword."""


class TooManyTags(StoreError):
    """The account has as many as it may have."""


@dataclass(frozen=True, slots=True)
class Tag:
    """`keyword` is what messages carry, compared without case; `colour` "#rrggbb" or "". Tags are
    shown in order of `position`, then of name.
    """

    keyword: str
    name: str
    colour: str = ""
    position: int = 0


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """A setting: its name, and its value where none was chosen, which gives its type too."""

    name: str
    default: T


LANGUAGE: Final = Key("language", "")
TIME_ZONE: Final = Key("time_zone", "")
AUTO_TAGS: Final = Key("auto_tags", default=False)
COLLECT_CONTACTS: Final = Key("collect_contacts", default=False)
"""Whether whom the account writes to becomes a contact (storage/contact_collecting.py)."""
UNDO_SECONDS: Final = Key("undo_seconds", 0)
"""How long mail sent by REST waits, so that it can be taken back: 0 to 30."""
ATTACHMENT_LINKS: Final = Key("attachment_links", "")
"""Whether large attachments of sent mail become links: "on", "off", "" for the server's choice."""


class Preferences:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self._listeners: dict[object, Callable[[AccountId], None]] = {}

    def on_change(self, listener: Callable[[AccountId], None]) -> Callable[[], None]:
        """Calls back in the loop when tags or settings of an account may have changed; returns the
        unsubscriber.
        """
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def _do(self, account: AccountId, change: Coroutine[Any, Any, None]) -> None:
        try:
            await self._database.finish(change)
        finally:
            for listener in tuple(self._listeners.values()):
                listener(account)

    # Tags.

    async def tags(self, account: AccountId) -> list[Tag]:
        """As they are shown."""
        return await self._database.finish(self._tags(account))

    async def _tags(self, account: AccountId) -> list[Tag]:
        query = select(_t.keyword, _t.name, _t.colour, _t.position).where(_t.account == account)
        async with self._database.reading() as at:
            found = [Tag(*row) for row in await at.execute(query)]
        return sorted(found, key=lambda one: (one.position, one.name.casefold(), one.keyword))

    async def put_tag(self, account: AccountId, made: Tag) -> None:
        """A tag, in place of that with its keyword. Raises BadPreference, TooManyTags,
        NoSuchAccount.
        """
        _check(made)
        await self._do(account, self._put_tag(account, made))

    async def _put_tag(self, account: AccountId, made: Tag) -> None:
        key, mine = made.keyword.lower(), _t.account == account
        values = {
            "keyword": made.keyword,
            "name": made.name,
            "colour": made.colour,
            "position": made.position,
        }
        async with self._database.writing() as at:
            await modseq_of(at, account)
            changed = update(tag).where(mine, _t.key == key).values(values)
            how = How.UPDATED if (await at.execute(changed)).rowcount else How.CREATED
            if how is How.CREATED:
                count = select(func.count()).select_from(tag).where(mine)
                if (await at.execute(count)).scalar_one() >= MAX_TAGS:
                    raise TooManyTags(f"An account has at most {MAX_TAGS} tags")
                await at.execute(insert(tag).values(account=account, key=key, **values))
            await note(at, account, [Change(Kind.TAG, how, key)])

    async def delete_tag(self, account: AccountId, keyword: str) -> None:
        """Messages keep the keyword. Raises NoSuchTag."""
        await self._do(account, self._delete_tag(account, keyword.lower()))

    async def _delete_tag(self, account: AccountId, key: str) -> None:
        async with self._database.writing() as at:
            gone = delete(tag).where(_t.account == account, _t.key == key)
            if not (await at.execute(gone)).rowcount:
                raise NoSuchTag(f"There is no tag {key}")
            await note(at, account, [Change(Kind.TAG, How.DELETED, key)])

    # Settings.

    async def get(self, account: AccountId, key: Key[T]) -> T:
        """What was chosen, else the default."""
        found = await self._database.finish(self._read(account, key.name))
        if found is None:
            return key.default
        value = json.loads(found)
        return value if type(value) is type(key.default) else key.default

    async def _read(self, account: AccountId, name: str) -> str | None:
        query = select(_p.value).where(_p.account == account, _p.key == name)
        async with self._database.reading() as at:
            found: str | None = (await at.execute(query)).scalar()
        return found

    async def set(self, account: AccountId, key: Key[T], value: T | None) -> None:
        """None goes back to the default. Raises BadPreference, NoSuchAccount."""
        text = None if value is None else json.dumps(value)
        if text is not None and (type(value) is not type(key.default) or len(text) > MAX_VALUE):
            raise BadPreference(f"{key.name} takes no such value")
        await self._do(account, self._set(account, key.name, text))

    async def _set(self, account: AccountId, name: str, text: str | None) -> None:
        async with self._database.writing() as at:
            mine = delete(preference).where(_p.account == account, _p.key == name)
            await modseq_of(at, account)
            had = (await at.execute(mine)).rowcount
            how = How.UPDATED if had else How.CREATED
            if text is None:
                if not had:
                    return
                how = How.DELETED
            else:
                await at.execute(insert(preference).values(account=account, key=name, value=text))
            await note(at, account, [Change(Kind.PREFERENCE, how, name)])


def _check(made: Tag) -> None:
    if not _KEYWORD.fullmatch(made.keyword):
        raise BadPreference(f"{made.keyword!r} is not an IMAP keyword of at most 64 characters")
    if not _NAME.fullmatch(made.name):
        raise BadPreference("The name of a tag has 1 to 100 characters on one line")
    if not _COLOUR.fullmatch(made.colour):
        raise BadPreference('A colour is written "#rrggbb"')
    if not 0 <= made.position < 1_000_000:
        raise BadPreference("The position of a tag is a number below a million")
