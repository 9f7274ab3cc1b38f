"""Identity objects: /get, /changes and /set (RFC 8621 §6)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from message.address import AddressError, parse_mailbox
from storage.config_changes import config_changes, state_of
from storage.config_journal import Kind
from storage.delegations import Sending
from storage.directory import Directory
from storage.directory_values import Account as User
from storage.errors import TooOld
from storage.identities import (
    MAX_NAME,
    MAX_SIGNATURE,
    Identity,
    NoSuchIdentity,
    StandingIdentity,
    TooManyIdentities,
)
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError, SetError, invalid_properties
from web.jmap.methods import Call
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Changes, Object
from web.jmap.submission.addresses import is_line, named_list, shown

SUBMISSION: Final = "urn:ietf:params:jmap:submission"
_KINDS: Final = (Kind.IDENTITY,)
_ID: Final = re.compile(r"I([1-9]\d{0,17})")
_PROPERTIES: Final = (
    "name",
    "email",
    "replyTo",
    "bcc",
    "textSignature",
    "htmlSignature",
    "mayDelete",
)
_DEFAULTS: Final[Mapping[str, Any]] = {
    "name": None,
    "replyTo": None,
    "bcc": None,
    "textSignature": "",
    "htmlSignature": "",
}


class IdentityType(Changeable[Context, Account]):
    """Those whose address the login may send as."""

    name = "Identity"
    capability = SUBMISSION
    properties = frozenset(_PROPERTIES)

    def __init__(self, directory: Directory) -> None:
        self._directory, self._identities = directory, directory.identities

    def account(self, call: Call[Context], account_id: str) -> Account:
        return account_of(call, account_id)

    def is_read_only(self, account: Account) -> bool:
        return account.grant.read_only

    async def state(self, account: Account) -> str:
        await self.all(account)  # what the directory changed becomes a change of its own
        return str(await state_of(self._directory.database, account.id, _KINDS))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        user = await self._user(account)
        found = {id_of(one): _shown(one, user.name) for one in await self.all(account)}
        picked = {
            id_: {"id": id_, **{name: one[name] for name in _PROPERTIES if name in properties}}
            for id_, one in found.items()
        }
        if ids is None:
            return list(picked.values()), []
        return [picked[one] for one in ids if one in picked], [i for i in ids if i not in picked]

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        if account.grant.senders or not since.isascii() or not since.isdecimal():
            raise MethodError("cannotCalculateChanges")
        await self.all(account)
        try:
            found = await config_changes(
                self._directory.database, account.id, _KINDS, int(since[:18]), limit
            )
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        created, updated, destroyed = (
            [f"I{one}" for one in ids] for ids in (found.created, found.updated, found.destroyed)
        )
        return Changes(str(found.until), created, updated, destroyed, found.has_more)

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        _check_writes(account)
        if unknown := sorted(made.keys() - set(_PROPERTIES) | made.keys() & {"mayDelete"}):
            raise invalid_properties("cannot be set", *unknown)
        email = _email(made.get("email"))
        await self._check_sender(account, email)
        whole = _checked(Identity(0, email), {**_DEFAULTS, **made})
        try:
            done = await self._identities.create(account.id, whole)
        except TooManyIdentities as error:
            raise SetError("overQuota", str(error)) from None
        found = _shown(done, (await self._user(account)).name)
        different = {name: value for name, value in found.items() if made.get(name, made) != value}
        return {"id": id_of(done), **different}

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        _check_writes(account)
        one = await self.one(account, id_)
        if one is None:
            raise SetError("notFound")
        before = {"id": id_, **_shown(one, (await self._user(account)).name)}
        after = patched(before, patch)
        for name, value in _DEFAULTS.items():
            after[name] = value if after.get(name) is None else after[name]
        fixed = ("id", "email", "mayDelete")
        if unlike := [
            name
            for name in after
            if name not in before or (name in fixed and after[name] != before[name])
        ]:
            raise invalid_properties("cannot be changed", *sorted(unlike))
        if one.name is None and after["name"] == before["name"]:
            after["name"] = None  # the account's own goes on standing for it
        try:
            await self._identities.update(account.id, _checked(one, after))
        except NoSuchIdentity:
            raise SetError("notFound") from None
        return None

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: Any
    ) -> None:
        _check_writes(account)
        one = await self.one(account, id_)
        try:
            if one is None:
                raise NoSuchIdentity
            await self._identities.delete(account.id, one.id)
        except NoSuchIdentity:
            raise SetError("notFound") from None
        except StandingIdentity as error:
            raise SetError("forbidden", str(error)) from None

    async def all(self, account: Account) -> list[Identity]:
        """Those of the login."""
        user = await self._user(account)
        found = await identities_of(self._directory, user)
        return [one for one in found if account.grant.may_send_as(one.email)]

    async def one(self, account: Account, id_: str) -> Identity | None:
        """By its id."""
        if _ID.fullmatch(id_) is None:
            return None
        return next((one for one in await self.all(account) if id_of(one) == id_), None)

    async def _user(self, account: Account) -> User:
        user = await self._directory.account_by_id(account.id)
        if user is None:
            raise MethodError("accountNotFound")
        return user

    async def _check_sender(self, account: Account, email: str) -> None:
        right = await self._directory.delegations.right(account.id, email)
        if right.sending is Sending.NO or not account.grant.may_send_as(email):
            raise SetError("forbiddenFrom", "the address is none of yours", ("email",))


async def identities_of(directory: Directory, user: User) -> list[Identity]:
    """All of an account, those of its addresses first. Raises StoreError."""
    return await directory.identities.of(user.id, await directory.sending_addresses(user))


def id_of(one: Identity) -> str:
    """`I` and its number."""
    return f"I{one.id}"


def _shown(one: Identity, own_name: str) -> Object:
    return {
        "name": own_name if one.name is None else one.name,
        "email": one.email,
        "replyTo": shown(one.reply_to),
        "bcc": shown(one.bcc),
        "textSignature": one.text_signature,
        "htmlSignature": one.html_signature,
        "mayDelete": not one.standing,
    }


def _check_writes(account: Account) -> None:
    if not account.grant.writes:
        raise SetError("forbidden", "this login only writes drafts")


def _email(value: Any) -> str:
    """Raises SetError."""
    try:
        return str(parse_mailbox(value if isinstance(value, str) else ""))
    except AddressError as error:
        raise invalid_properties(str(error), "email") from None


def _checked(one: Identity, wanted: Object) -> Identity:
    """With what is wanted of it. Raises SetError."""
    name = wanted["name"]
    if name is not None and not is_line(name, MAX_NAME):
        raise invalid_properties(f"a line of at most {MAX_NAME} characters is needed", "name")
    for signature in ("textSignature", "htmlSignature"):
        text = wanted[signature]
        if not isinstance(text, str) or not _is_text(text):
            text = f"a text of at most {MAX_SIGNATURE} octets is needed"
            raise invalid_properties(text, signature)
    return replace(
        one,
        name=name,
        reply_to=named_list(wanted["replyTo"], "replyTo"),
        bcc=named_list(wanted["bcc"], "bcc"),
        text_signature=wanted["textSignature"],
        html_signature=wanted["htmlSignature"],
    )


def _is_text(text: str) -> bool:
    return "\0" not in text and len(text.encode("utf-8", "surrogatepass")) <= MAX_SIGNATURE
