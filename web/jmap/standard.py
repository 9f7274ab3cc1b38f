"""The standard methods over an object type: /get, /changes, /query and /set (RFC 8620 §5).

What is common to all types stands here: arguments, bounds, states, windows, creation ids; a type
says what its objects are. States are read before the objects, so that a state is never newer than
what was sent with it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Generic, TypeVar

from web.jmap.arguments import Arguments, too_many
from web.jmap.errors import MethodError, SetError, invalid_arguments, partly
from web.jmap.limits import Limits
from web.jmap.methods import Call, Methods, Results

C = TypeVar("C")
A = TypeVar("A")
Object = dict[str, Any]
_CANNOT: Final = "cannotCalculateChanges"


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of ids since a state; `more` are members of the response beside the usual."""

    state: str
    created: Sequence[str] = ()
    updated: Sequence[str] = ()
    destroyed: Sequence[str] = ()
    has_more: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


class ObjectType(ABC, Generic[C, A]):
    """A type of objects in an account: C is what a request runs in, A an account of it."""

    name: ClassVar[str]
    capability: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    """Those of an object of which none were asked for by name; without id."""

    @abstractmethod
    def account(self, call: Call[C], account_id: str) -> A:
        """The account of an id. Raises MethodError: accountNotFound, and others of §3.6.2."""

    @abstractmethod
    async def state(self, account: A) -> str:
        """The state of all objects of the type in the account."""

    @abstractmethod
    async def get(
        self, account: A, ids: Sequence[str] | None, properties: frozenset[str], arguments: Any
    ) -> tuple[list[Object], list[str]]:
        """Objects, each with id and those of the `properties` that it has, and ids not found."""

    def get_arguments(self, arguments: Arguments) -> Any:
        """Arguments of /get beyond the standard's."""
        return None

    def picked(self, names: Sequence[str]) -> frozenset[str]:
        """The properties of these names. Raises MethodError for one that there is not."""
        if unknown := [one for one in names if one not in self.properties and one != "id"]:
            raise invalid_arguments(f"properties: {unknown[0][:100]} is not known")
        return frozenset(names)

    async def changes(self, account: A, since: str, limit: int) -> Changes:
        """At most `limit` ids. Raises MethodError: cannotCalculateChanges."""
        raise MethodError(_CANNOT)


class Changeable(ObjectType[C, A]):
    """A type with /set. A SetError refuses one object, a MethodError all of them."""

    @abstractmethod
    async def create(self, call: Call[C], account: A, made: Object) -> Object:
        """The new object's id, and each property that differs from what was given."""

    @abstractmethod
    async def update(self, call: Call[C], account: A, id_: str, patch: Object) -> Object | None:
        """Properties that changed in another way than was asked for, None for none."""

    @abstractmethod
    async def destroy(self, call: Call[C], account: A, id_: str, arguments: Any) -> None:
        """Raises SetError: notFound, and others."""

    def is_read_only(self, account: A) -> bool:
        """Whether nothing in the account can be changed, as its Session says."""
        return False

    async def destroy_order(self, account: A, ids: Sequence[str]) -> Sequence[str]:
        """The ids so that those that others depend on come last."""
        return ids

    def set_arguments(self, arguments: Arguments) -> Any:
        """Arguments of /set beyond the standard's."""
        return None


class Standard(Generic[C]):
    """Adds the standard methods of types to the methods of a server."""

    def __init__(self, methods: Methods[C], limits: Limits) -> None:
        self._methods, self._limits = methods, limits

    def add_get(self, kind: ObjectType[C, A], *, changes: bool = True) -> None:
        """/get, and /changes where the type has it."""

        async def get(call: Call[C], members: Object) -> Results:
            return [(f"{kind.name}/get", await self._get(kind, call, Arguments(members)))]

        async def changed(call: Call[C], members: Object) -> Results:
            return [(f"{kind.name}/changes", await self._changes(kind, call, Arguments(members)))]

        self._methods.add(kind.capability, f"{kind.name}/get", get)
        if changes:
            self._methods.add(kind.capability, f"{kind.name}/changes", changed)

    def add_set(self, kind: Changeable[C, A]) -> None:
        """/set."""

        async def set_(call: Call[C], members: Object) -> Results:
            return [(f"{kind.name}/set", await self.set(kind, call, Arguments(members)))]

        self._methods.add(kind.capability, f"{kind.name}/set", set_)

    async def _get(self, kind: ObjectType[C, A], call: Call[C], arguments: Arguments) -> Object:
        """RFC 8620 §5.1."""
        account_id = arguments.id("accountId")
        ids = arguments.ids("ids")
        names = arguments.texts("properties")
        extra = kind.get_arguments(arguments)
        arguments.end()
        account = kind.account(call, account_id)
        if ids is not None and len(ids) > self._limits.objects_in_get:
            raise too_many("ids", self._limits.objects_in_get)
        properties = kind.properties if names is None else kind.picked(names)
        if ids is not None:
            ids = _known(call, ids)
        state = await kind.state(account)
        found, missing = await kind.get(account, ids, properties - {"id"}, extra)
        return {"accountId": account_id, "state": state, "list": found, "notFound": missing}

    async def _changes(self, kind: ObjectType[C, A], call: Call[C], arguments: Arguments) -> Object:
        """RFC 8620 §5.2."""
        account_id = arguments.id("accountId")
        since = arguments.needed_text("sinceState")
        limit = arguments.unsigned("maxChanges")
        arguments.end()
        if limit == 0:
            raise invalid_arguments("maxChanges: more than 0 is needed")
        account = kind.account(call, account_id)
        most = self._limits.objects_in_get
        found = await kind.changes(account, since, min(limit or most, most))
        return {
            "accountId": account_id,
            "oldState": since,
            "newState": found.state,
            "hasMoreChanges": found.has_more,
            "created": list(found.created),
            "updated": list(found.updated),
            "destroyed": list(found.destroyed),
            **found.more,
        }

    async def set(self, kind: Changeable[C, A], call: Call[C], arguments: Arguments) -> Object:
        """/set by itself (RFC 8620 §5.3). Raises MethodError."""
        account_id = arguments.id("accountId")
        in_state = arguments.text("ifInState")
        create, update = arguments.objects("create"), arguments.objects("update")
        destroy = arguments.texts("destroy") or []
        extra = kind.set_arguments(arguments)
        arguments.end()
        account = kind.account(call, account_id)
        if len(create) + len(update) + len(destroy) > self._limits.objects_in_set:
            raise too_many("objects", self._limits.objects_in_set)
        if kind.is_read_only(account):
            raise MethodError("accountReadOnly")
        before = await kind.state(account)
        if in_state is not None and in_state != before:
            raise MethodError("stateMismatch")
        done = _Done()
        with partly(done):
            for creation_id in creation_order(create):
                await done.create(kind, call, account, creation_id, create[creation_id])
            for id_, patch in update.items():
                await done.update(kind, call, account, id_, patch)
            for id_ in await kind.destroy_order(account, _known(call, destroy)):
                await done.destroy(kind, call, account, id_, extra)
            after = await kind.state(account)
        return {"accountId": account_id, "oldState": before, "newState": after, **done.members}


class _Done:
    """What became of the objects of a /set."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = dict.fromkeys(
            (
                "created",
                "updated",
                "destroyed",
                "notCreated",
                "notUpdated",
                "notDestroyed",
            )
        )

    def __len__(self) -> int:
        """How many were changed."""
        return sum(len(self.members[one] or ()) for one in ("created", "updated", "destroyed"))

    async def create(
        self, kind: Changeable[C, A], call: Call[C], account: A, creation_id: str, made: Object
    ) -> None:
        try:
            found = await kind.create(call, account, made)
        except SetError as error:
            self._note("notCreated", creation_id, error.members)
        else:
            call.created[creation_id] = found["id"]
            self._note("created", creation_id, found)

    async def update(
        self, kind: Changeable[C, A], call: Call[C], account: A, id_: str, patch: Object
    ) -> None:
        try:
            found = await kind.update(call, account, _real(call, id_), patch)
        except SetError as error:
            self._note("notUpdated", id_, error.members)
        else:
            self._note("updated", _real(call, id_), found)

    async def destroy(
        self, kind: Changeable[C, A], call: Call[C], account: A, id_: str, extra: Any
    ) -> None:
        try:
            await kind.destroy(call, account, _real(call, id_), extra)
        except SetError as error:
            self._note("notDestroyed", id_, error.members)
        else:
            self.members["destroyed"] = [*(self.members["destroyed"] or ()), _real(call, id_)]

    def _note(self, member: str, id_: str, value: Any) -> None:
        self.members[member] = {**(self.members[member] or {}), id_: value}


def creation_order(create: Mapping[str, Object]) -> list[str]:
    """Creation ids so that what others refer to comes before them (§5.3)."""
    needs = {id_: _referred(create, made) for id_, made in create.items()}
    order: dict[str, None] = {}
    for start in create:
        path = {start: None}
        while path:
            one = next(reversed(path))
            above = (id_ for id_ in needs[one] if id_ not in order and id_ not in path)
            if (first := next(above, None)) is not None:
                path[first] = None
            else:
                del path[one]
                order[one] = None
    return list(order)


def _referred(create: Mapping[str, Object], made: Object) -> list[str]:
    """Creation ids in the values of an object."""
    texts = [value for value in made.values() if isinstance(value, str)]
    return [text[1:] for text in texts if text.startswith("#") and text[1:] in create]


def _known(call: Call[C], ids: Sequence[str]) -> list[str]:
    """Without doubles, with the ids behind the creation ids that have got one."""
    return list(dict.fromkeys(map(call.real, ids)))


def _real(call: Call[C], id_: str) -> str:
    """The id behind a creation id (RFC 8620 §5.3). Raises SetError."""
    if not id_.startswith("#"):
        return id_
    try:
        return call.created[id_[1:]]
    except KeyError:
        raise SetError("notFound", "nothing was created under this creation id") from None
