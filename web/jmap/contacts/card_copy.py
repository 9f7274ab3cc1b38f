"""ContactCard/copy (RFC 9610 §3.6): between the user's account and those that share books."""

from collections.abc import Mapping
from dataclasses import dataclass

from storage.contact_values import NoSuchContact
from web.jmap.arguments import Arguments
from web.jmap.contacts.contact_card import ContactCardType
from web.jmap.context import Account, Context
from web.jmap.errors import MethodError, SetError, invalid_arguments
from web.jmap.methods import Call, Results
from web.jmap.standard import Object, Standard


class ContactCardCopy:
    """The method."""

    def __init__(self, standard: Standard[Context], kind: ContactCardType) -> None:
        self._standard, self._kind = standard, kind

    async def __call__(self, call: Call[Context], members: Object) -> Results:
        """RFC 8620 §5.4."""
        arguments = Arguments(dict(members))
        source_id, target_id = arguments.id("fromAccountId"), arguments.id("accountId")
        from_state, to_state = arguments.text("ifFromInState"), arguments.text("ifInState")
        last_state = arguments.text("destroyFromIfInState")
        create = arguments.objects("create")
        destroys = arguments.flag("onSuccessDestroyOriginal")
        arguments.end()
        if source_id == target_id:
            raise invalid_arguments("fromAccountId: another account is needed")
        self._kind.account(call, target_id)
        try:
            source = self._kind.account(call, source_id)
        except MethodError:
            raise MethodError("fromAccountNotFound") from None
        if from_state is not None and from_state != await self._kind.state(source):
            raise MethodError("stateMismatch")
        made, copied = await self._read(source, create)
        asked: Object = {"accountId": target_id, "create": made, "ifInState": to_state}
        answer = await self._standard.set(self._kind, call, Arguments(asked))
        refused = {**copied.refused, **(answer["notCreated"] or {})}
        told = {name: answer[name] for name in ("accountId", "oldState", "newState", "created")}
        told |= {"fromAccountId": source_id, "notCreated": refused or None}
        results = [("ContactCard/copy", told)]
        gone = [copied.ids[one] for one in answer["created"] or ()]
        if destroys and gone:
            asked = {"accountId": source_id, "destroy": gone, "ifInState": last_state}
            results.append(await self._destroyed(call, asked))
        return results

    async def _read(
        self, source: Account, create: Mapping[str, Object]
    ) -> "tuple[dict[str, Object], _Copied]":
        """What is to be created, by creation id."""
        made: dict[str, Object] = {}
        copied = _Copied({}, {})
        for creation_id, wish in create.items():
            id_ = wish.get("id")
            try:
                stored = await self._kind.stored(source, id_ if isinstance(id_, str) else "")
            except NoSuchContact:
                copied.refused[creation_id] = SetError("notFound").members
                continue
            rest = {name: value for name, value in wish.items() if name != "id"}
            made[creation_id] = {**stored.content.card(), **rest}
            copied.ids[creation_id] = f"C{stored.listed.id}"
        return made, copied

    async def _destroyed(self, call: Call[Context], asked: Object) -> tuple[str, Object]:
        try:
            found = await self._standard.set(self._kind, call, Arguments(asked))
        except MethodError as error:
            return "error", error.members
        return "ContactCard/set", found


@dataclass(frozen=True, slots=True)
class _Copied:
    """By creation id: ids of the originals, and what was refused."""

    ids: dict[str, str]
    refused: dict[str, Object]
