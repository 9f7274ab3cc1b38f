"""SieveScript objects: /get, /set, /query and /validate (RFC 9661), on the scripts that ManageSieve
has.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar, Final

from filters.scripts import BadScript, Language
from filters.sieve.extensions import EXTENSIONS, NOTIFY_METHODS
from filters.sieve.limits import LIMITS
from net.threads import Busy
from storage.blob_values import NoSuchBlob
from storage.config_database import ConfigDatabase
from storage.config_journal import Kind
from storage.script_values import (
    MAX_NAME,
    MAX_SCRIPTS,
    MAX_SIZE,
    BadScriptName,
    NoSuchScript,
    Script,
    ScriptActive,
    ScriptExists,
    ScriptsTooLarge,
    ScriptTooLarge,
    TooManyScripts,
    script_name,
)
from storage.scripts import Scripts
from web.jmap.arguments import Arguments, is_id
from web.jmap.blob.reading import BlobHeldBack, BlobReader
from web.jmap.config_type import ConfigType
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.listed_query import Listed, equals, holds
from web.jmap.methods import Call, Results
from web.jmap.patch import patched
from web.jmap.standard import Object, Standard

SIEVE: Final = "urn:ietf:params:jmap:sieve"
_PROPERTIES: Final = ("name", "blobId", "isActive")
_ID: Final = re.compile(r"Z([1-9]\d{0,17})")
_BLOB: Final = re.compile(r"Z([1-9]\d{0,17})h([0-9a-f]{24})")
ABILITIES: Final[dict[str, Any]] = {
    "maxSizeScriptName": MAX_NAME,
    "maxSizeScript": MAX_SIZE,
    "maxNumberScripts": MAX_SCRIPTS,
    "maxNumberRedirects": LIMITS.redirects,
    "sieveExtensions": list(EXTENSIONS),
    "notificationMethods": list(NOTIFY_METHODS),
    "externalLists": [":addrbook:default", ":correspondents"],
}
"""Of an account (RFC 9661 §1.3.1)."""


@dataclass(frozen=True, slots=True)
class _OnSuccess:
    """`activate` is an id or a creation id."""

    activate: str | None
    deactivate: bool


class SieveType(Listed[Context, Account], ConfigType):
    """Of a login that is good for some folders or senders, none."""

    name = "SieveScript"
    capability = SIEVE
    properties = frozenset(_PROPERTIES)
    kinds = frozenset((Kind.SCRIPT,))
    conditions: ClassVar = {"name": holds("name"), "isActive": equals("isActive", bool)}
    sort_keys: ClassVar = {
        "name": lambda one: one["name"],
        "isActive": lambda one: one["isActive"],
    }
    sorts = frozenset(sort_keys)

    def __init__(
        self, database: ConfigDatabase, scripts: Scripts, language: Language, reader: BlobReader
    ) -> None:
        ConfigType.__init__(self, database)
        self._scripts, self._language, self._reader = scripts, language, reader

    def id_of(self, account: Account, what: str) -> str:
        return f"Z{what}"

    def set_arguments(self, arguments: Arguments) -> _OnSuccess:
        activate = arguments.text("onSuccessActivateScript")
        return _OnSuccess(activate, arguments.flag("onSuccessDeactivateScript"))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        found = {id_of(one): _shown(one) for one in await self.all(account)}
        wanted = list(found) if ids is None else ids
        picked = [
            {"id": one, **{name: found[one][name] for name in _PROPERTIES if name in properties}}
            for one in wanted
            if one in found
        ]
        return picked, [one for one in wanted if one not in found]

    def can_calculate(self, account: Account, query: Any) -> bool:
        return False

    async def objects(self, account: Account) -> list[Object]:
        return [{"id": id_of(one), **_shown(one)} for one in await self.all(account)]

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        check_writes(account)
        if unknown := sorted(made.keys() - {"name", "blobId"}):
            raise invalid_properties("cannot be set", *unknown)
        text = await self.text(call, account, made.get("blobId"))
        name = made.get("name")
        if name is None:
            name = await self._free_name(account)
        await self._put(account, _name(name), text, new=True)
        one = await self._scripts.get(account.id, name)
        told = {"id": id_of(one), **_shown(one)}
        return {key: value for key, value in told.items() if made.get(key, made) != value}

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        check_writes(account)
        one = await self.one(account, id_)
        before = {"id": id_, **_shown(one)}
        after = patched(before, patch)
        fixed = [
            name
            for name in after
            if name not in before or (name in ("id", "isActive") and after[name] != before[name])
        ]
        if fixed:
            raise invalid_properties("cannot be changed", *sorted(fixed))
        if after["blobId"] != before["blobId"]:
            text = await self.text(call, account, after["blobId"])
            await self._put(account, one.name, text, new=False)
        if after["name"] != one.name:
            await self._rename(account, one.name, _name(after["name"]))
        (now,) = [each for each in await self.all(account) if each.id == one.id]
        told = _shown(now)
        return {name: value for name, value in told.items() if value != after[name]} or None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        check_writes(account)
        one = await self.one(account, id_)
        try:
            await self._scripts.delete(account.id, one.name)
        except ScriptActive as error:
            raise SetError("sieveIsActive", str(error)) from None
        except NoSuchScript:
            raise SetError("notFound") from None

    async def all(self, account: Account) -> list[Script]:
        """With their texts, in order of name."""
        grant = account.grant
        return [] if grant.folders or grant.senders else await self._scripts.all(account.id)

    async def one(self, account: Account, id_: str) -> Script:
        """Raises SetError."""
        found = [each for each in await self.all(account) if id_of(each) == id_]
        if not found:
            raise SetError("notFound")
        return found[0]

    async def text(self, call: Call[Context], account: Account, blob_id: Any) -> bytes:
        """A script out of a blob, one that compiles. Raises SetError."""
        text = await self.octets(call, account, blob_id)
        try:
            await self._language.check(text)
        except BadScript as error:
            raise SetError("invalidSieve", str(error)) from None
        except Busy:
            raise MethodError("serverUnavailable") from None
        return text

    async def octets(self, call: Call[Context], account: Account, blob_id: Any) -> bytes:
        """Raises SetError: blobNotFound, tooLarge."""
        if isinstance(blob_id, str) and blob_id.startswith("#"):
            blob_id = call.created.get(blob_id[1:], "")
        if not is_id(blob_id):
            raise invalid_properties("a blobId is needed", "blobId")
        try:
            found = await self._reader.find(account, blob_id)
            if found.size > MAX_SIZE:
                raise SetError("tooLarge", f"a script has at most {MAX_SIZE} octets")
            return await self._reader.octets(found)
        except (NoSuchBlob, BlobHeldBack) as error:
            raise SetError("blobNotFound", str(error), notFound=[blob_id]) from None

    async def _put(self, account: Account, name: str, text: bytes, *, new: bool) -> None:
        try:
            await self._scripts.put(account.id, name, text, new=new)
        except ScriptExists as error:
            raise await self._taken(account, name, error) from None
        except ScriptsTooLarge as error:
            raise SetError("overQuota", str(error)) from None
        except ScriptTooLarge as error:
            raise SetError("tooLarge", str(error)) from None
        except TooManyScripts as error:
            raise SetError("overQuota", str(error)) from None

    async def _rename(self, account: Account, old: str, name: str) -> None:
        try:
            await self._scripts.rename(account.id, old, name)
        except ScriptExists as error:
            raise await self._taken(account, name, error) from None
        except NoSuchScript:
            raise SetError("notFound") from None

    async def _taken(self, account: Account, name: str, error: Exception) -> SetError:
        found = [id_of(one) for one in await self.all(account) if one.name == name]
        more: Object = {"existingId": found[0]} if found else {}
        return SetError("alreadyExists", str(error), **more)

    async def _free_name(self, account: Account) -> str:
        names = {one.name for one in await self.all(account)}
        return next(one for n in range(1, MAX_SCRIPTS + 2) if (one := f"script {n}") not in names)


class SieveSet:
    """SieveScript/set with the activation that follows from it (RFC 9661 §2.3)."""

    def __init__(self, standard: Standard[Context], kind: SieveType, scripts: Scripts) -> None:
        self._standard, self._kind, self._scripts = standard, kind, scripts

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        wanted = self._kind.set_arguments(Arguments(members))
        account = self._kind.account(call, Arguments(members).id("accountId"))
        answer = await self._standard.set(self._kind, call, Arguments(members))
        failed = any(answer[name] for name in ("notCreated", "notUpdated", "notDestroyed"))
        if not failed and (wanted.activate is not None or wanted.deactivate):
            await self._activate(call, account, wanted, answer)
        return [("SieveScript/set", answer)]

    async def _activate(
        self, call: Call[Context], account: Account, wanted: _OnSuccess, answer: Object
    ) -> None:
        """Told as changes of isActive; one that is not there changes nothing."""
        reference = wanted.activate or ""
        id_ = call.created.get(reference[1:], "") if reference.startswith("#") else reference
        before = {id_of(one): one for one in await self._kind.all(account)}
        if not account.grant.writes or (id_ and id_ not in before):
            return
        await self._scripts.activate(account.id, before[id_].name if id_ else "")
        created = {one["id"]: one for one in (answer["created"] or {}).values()}
        for one in await self._kind.all(account):
            number = id_of(one)
            if one.active == (number in before and before[number].active):
                continue
            if number in created:
                created[number]["isActive"] = one.active
            else:
                changed = dict(answer["updated"] or {})
                changed[number] = {**(changed.get(number) or {}), "isActive": one.active}
                answer["updated"] = changed
        answer["newState"] = await self._kind.state(account)


class SieveValidate:
    """SieveScript/validate (RFC 9661 §2.5)."""

    def __init__(self, kind: SieveType) -> None:
        self._kind = kind

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        arguments = Arguments(members)
        account_id, blob_id = arguments.id("accountId"), arguments.needed_text("blobId")
        arguments.end()
        account = account_of(call, account_id)
        error = None
        try:
            await self._kind.text(call, account, blob_id)
        except SetError as found:
            if found.kind == "blobNotFound":
                raise MethodError("blobNotFound", str(found)) from None
            error = found.members
        return [("SieveScript/validate", {"accountId": account_id, "error": error})]


class ScriptBlobs:
    """What a script's blobId stands for: the text that it had when it was told."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    async def octets(self, account: Account, blob_id: str) -> bytes | None:
        """None for another blobId, and for a script that is gone or was changed."""
        if _BLOB.fullmatch(blob_id) is None or account.grant.folders or account.grant.senders:
            return None
        for one in await self._scripts.all(account.id):
            if _blob(one) == blob_id:
                return one.text
        return None


def id_of(one: Script) -> str:
    """`Z` and its number."""
    return f"Z{one.id}"


def check_writes(account: Account) -> None:
    """Raises SetError."""
    grant = account.grant
    if not grant.writes or grant.folders or grant.senders:
        raise SetError("forbidden", "this login is not good for that")


def _blob(one: Script) -> str:
    return f"Z{one.id}h{sha256(one.text).hexdigest()[:24]}"


def _shown(one: Script) -> Object:
    return {"name": one.name, "blobId": _blob(one), "isActive": one.active}


def _name(value: Any) -> str:
    """Raises SetError."""
    try:
        return script_name(value if isinstance(value, str) else "")
    except BadScriptName as error:
        raise invalid_properties(str(error), "name") from None
