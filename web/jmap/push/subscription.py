"""PushSubscription/get and /set (RFC 8620 §7.2.1, §7.2.2): of the login that asks, without account
and state.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from config.clock import Clock, rfc3339
from net.limits import Gcra
from net.outside_url import BadUrl, outside_url
from storage.directory_values import NotAllowed
from storage.push_subscriptions import (
    LIFE,
    Keys,
    Owner,
    PushSubscription,
    PushSubscriptions,
)
from web.jmap.arguments import Arguments, too_many, utc_date
from web.jmap.context import Context
from web.jmap.errors import MethodError, SetError, invalid_arguments, invalid_properties
from web.jmap.limits import Limits
from web.jmap.methods import CORE, Call, Methods, Results
from web.jmap.push.encryption import BadKeys, keys_of
from web.jmap.push.outgoing import PushSender

MAX_TYPES: Final = 100
MAX_CLIENT: Final = 255
CODES: Final = 60
"""Of an account in an HOUR: each is a request to an address that nobody has proved yet (§7.2)."""
HOUR: Final = 3600.0
_SHOWN: Final = ("id", "deviceClientId", "verificationCode", "expires", "types")
_SECRET: Final = ("url", "keys")


@dataclass(frozen=True, slots=True)
class _Made:
    """What a create says."""

    client: str
    url: str
    keys: Keys | None
    types: list[str] | None
    expires: float


class PushSubscriptionMethods:
    """`add_to` a server's methods."""

    def __init__(
        self,
        subscriptions: PushSubscriptions,
        sender: PushSender,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._subscriptions, self._sender = subscriptions, sender
        self._limits, self._clock = limits, clock
        self._rate = Gcra(CODES, clock, seconds=HOUR)

    def add_to(self, methods: Methods[Context]) -> None:
        methods.add(CORE, "PushSubscription/get", self._get)
        methods.add(CORE, "PushSubscription/set", self._set)

    async def _get(self, call: Call[Context], members: dict[str, Any]) -> Results:
        arguments = Arguments(members)
        ids, names = arguments.ids("ids"), arguments.texts("properties")
        arguments.end()
        if names is not None and any(name in _SECRET for name in names):
            raise MethodError("forbidden", "url and keys are never told")
        if names is not None and (unknown := [one for one in names if one not in _SHOWN]):
            raise invalid_arguments(f"properties: {unknown[0][:100]} is not known")
        if ids is not None and len(ids) > self._limits.objects_in_get:
            raise too_many("ids", self._limits.objects_in_get)
        mine = {str(one.id): one for one in await self._subscriptions.of(_owner(call))}
        wanted = list(mine) if ids is None else [_real(call, id_) for id_ in ids]
        picked = _SHOWN if names is None else ("id", *names)
        found = [_shown(mine[id_], picked) for id_ in wanted if id_ in mine]
        missing = [id_ for id_ in wanted if id_ not in mine]
        return [("PushSubscription/get", {"list": found, "notFound": missing})]

    async def _set(self, call: Call[Context], members: dict[str, Any]) -> Results:
        arguments = Arguments(members)
        create, update = arguments.objects("create"), arguments.objects("update")
        destroy = arguments.ids("destroy") or []
        arguments.end()
        if len(create) + len(update) + len(destroy) > self._limits.objects_in_set:
            raise too_many("objects", self._limits.objects_in_set)
        told: dict[str, dict[str, Any]] = {}
        for creation, made in create.items():
            await _each(told, "created", creation, self._create(call, creation, made))
        for id_, patch in update.items():
            await _each(told, "updated", id_, self._update(call, _real(call, id_), patch))
        for id_ in destroy:
            await _each(told, "destroyed", id_, self._destroy(call, _real(call, id_)))
        destroyed = list(told.pop("destroyed", {}))
        return [("PushSubscription/set", told | ({"destroyed": destroyed} if destroyed else {}))]

    async def _create(
        self, call: Call[Context], creation: str, made: dict[str, Any]
    ) -> dict[str, Any]:
        owner = _owner(call)
        if owner.credential is not None and owner.credential < 0:
            raise SetError("forbidden", "a token of an outside provider has no subscriptions")
        found = self._made(call, made)
        if not self._rate.take(owner.account):
            raise SetError("rateLimit", f"{CODES} codes are sent an hour")
        try:
            one = await self._subscriptions.add(
                *(owner, found.client, found.url, found.keys, found.types),
                secrets.token_urlsafe(24),
                found.expires,
            )
        except NotAllowed as error:
            raise SetError("overQuota", str(error)) from None
        self._sender.added(one)
        call.created[creation] = str(one.id)
        told: dict[str, Any] = {"id": str(one.id)}
        if made.get("expires") != rfc3339(one.expires):
            told["expires"] = rfc3339(one.expires)
        return told

    def _made(self, call: Call[Context], made: dict[str, Any]) -> _Made:
        known = ("deviceClientId", "url", "keys", "types", "expires", "verificationCode")
        if unknown := [name for name in made if name not in known]:
            raise invalid_properties("these cannot be set", *unknown)
        if made.get("verificationCode") is not None:
            raise invalid_properties("it is sent to the URL first", "verificationCode")
        client, url = made.get("deviceClientId"), made.get("url")
        if not isinstance(client, str) or not 0 < len(client) <= MAX_CLIENT:
            raise invalid_properties("a string is needed", "deviceClientId")
        try:
            outside_url(url if isinstance(url, str) else "")
        except BadUrl as error:
            raise invalid_properties(str(error), "url") from None
        expires = self._expires(call, made.get("expires"))
        return _Made(client, str(url), _keys(made.get("keys")), _types(made.get("types")), expires)

    def _expires(self, call: Call[Context], value: Any) -> float:
        """At most LIFE from now, and as long as the login is good."""
        now, until = self._clock.now(), call.context.login.grant.expires
        latest = now + LIFE if until is None else min(now + LIFE, until)
        if value is None:
            return float(int(latest))
        date = utc_date(value)
        if date is None or _seconds(date) <= now:
            raise invalid_properties("a UTCDate that is to come is needed", "expires")
        return min(_seconds(date), float(int(latest)))

    async def _update(
        self, call: Call[Context], id_: str, patch: dict[str, Any]
    ) -> dict[str, Any] | None:
        one = await self._one(call, id_)
        if unknown := patch.keys() - {"verificationCode", "expires", "types"}:
            raise invalid_properties("these cannot be changed", *sorted(unknown))
        code = patch.get("verificationCode", one.code if one.verified else None)
        good = isinstance(code, str) and secrets.compare_digest(code.encode(), one.code.encode())
        if "verificationCode" in patch and not good:
            raise invalid_properties("this is not the code", "verificationCode")
        given = "expires" in patch
        expires = self._expires(call, patch["expires"]) if given else one.expires
        types = _types(patch["types"]) if "types" in patch else one.types
        changed = await self._subscriptions.change(
            one.owner,
            one.id,
            types=None if types is None else sorted(types),
            expires=expires,
            verified=one.verified or good,
        )
        if changed is None:
            raise SetError("notFound")
        await self._sender.changed(changed, call.context.login.grant)
        told = rfc3339(changed.expires)
        return {"expires": told} if given and patch["expires"] != told else None

    async def _destroy(self, call: Call[Context], id_: str) -> None:
        one = await self._one(call, id_)
        self._sender.removed(one.id)
        if not await self._subscriptions.remove(one.owner, one.id):
            raise SetError("notFound")

    async def _one(self, call: Call[Context], id_: str) -> PushSubscription:
        for one in await self._subscriptions.of(_owner(call)):
            if str(one.id) == id_:
                return one
        raise SetError("notFound")


async def _each(told: dict[str, dict[str, Any]], what: str, id_: str, work: Any) -> None:
    """The result of one create, update or destroy, or its SetError."""
    try:
        result = await work
    except SetError as error:
        told.setdefault(f"not{what.capitalize()}", {})[id_] = error.members
    else:
        told.setdefault(what, {})[id_] = result


def _owner(call: Call[Context]) -> Owner:
    login = call.context.login
    return Owner(login.account, login.grant.credential)


def _real(call: Call[Context], id_: str) -> str:
    return call.created.get(id_[1:], id_) if id_.startswith("#") else id_


def _seconds(date: datetime) -> float:
    return date.replace(tzinfo=UTC).timestamp()


def _keys(found: Any) -> Keys | None:
    """Raises SetError."""
    if found is None:
        return None
    if not isinstance(found, Mapping) or found.keys() != {"p256dh", "auth"}:
        raise invalid_properties("an object of p256dh and auth is needed", "keys")
    try:
        return keys_of(str(found["p256dh"]), str(found["auth"]))
    except BadKeys as error:
        raise invalid_properties(str(error), "keys") from None


def _types(found: Any) -> list[str] | None:
    """Raises SetError."""
    if found is None:
        return None
    good = isinstance(found, list) and 0 < len(found) <= MAX_TYPES
    if not good or not all(isinstance(one, str) for one in found):
        raise invalid_properties(f"1 to {MAX_TYPES} names of types or null are needed", "types")
    return list(dict.fromkeys(found))


def _shown(one: PushSubscription, picked: tuple[str, ...]) -> dict[str, Any]:
    every = {
        "id": str(one.id),
        "deviceClientId": one.client,
        "verificationCode": one.code if one.verified else None,
        "expires": rfc3339(one.expires),
        "types": None if one.types is None else sorted(one.types),
    }
    return {name: every[name] for name in picked}
