"""GETMETADATA and SETMETADATA (RFC 5464).

The mailbox "" is the server. Entries of a mailbox are for those with the right `l` and one of
`rswip` there (§3.3). An entry that is named and does not exist is NIL.
"""

from collections.abc import Mapping

from auth.roles import Right, actor_of, may
from imap.annotations import (
    SPECIAL_USE,
    check_server_values,
    check_special_use,
    computed_for_mailbox,
    computed_for_server,
)
from imap.grammar.metadata import GetMetadata, SetMetadata, metadata_line
from imap.mailboxes import resolve
from imap.place import Place
from imap.replies import No, Reply
from imap.session import Session
from storage.metadata import (
    MAX_NAME,
    MAX_VALUE,
    SERVER,
    Holder,
    TooManyEntries,
)
from storage.values import Mailbox


async def getmetadata(session: Session, command: GetMetadata) -> Reply:
    if command.mailbox:
        place, box = await _annotated(session, command.mailbox)
        shown, holder = place.shown, Holder(box.account, box.id)
        computed = computed_for_mailbox(session, box)
    else:
        shown, holder, computed = "", SERVER, computed_for_server(session)
    stored = await session.context.metadata.read(
        holder, session.account, command.entries, command.depth
    )
    found = _wanted(computed, command) | stored
    largest = max(map(len, found.values()), default=0)
    values: dict[str, bytes | None] = dict(found)
    values |= {name: None for name in command.entries if not _has_any(found, name)}
    too_long = command.max_size is not None and largest > command.max_size
    if too_long:
        values = {name: value for name, value in values.items() if _fits(value, command)}
    if values:
        session.send(metadata_line(shown, values.items(), session.utf8))
    return Reply("GETMETADATA completed", b"METADATA LONGENTRIES %d" % largest if too_long else b"")


def _fits(value: bytes | None, command: GetMetadata) -> bool:
    return value is None or command.max_size is None or len(value) <= command.max_size


def _has_any(found: Mapping[str, bytes], name: str) -> bool:
    """Whether there is the entry or, as DEPTH asked for it, one below."""
    return name in found or any(each.startswith(name + "/") for each in found)


def _wanted(computed: Mapping[str, bytes], command: GetMetadata) -> dict[str, bytes]:
    """Those of the computed entries that the command names."""
    return {
        name: value
        for name, value in computed.items()
        if any(_is_within(name, each, command.depth) for each in command.entries)
    }


def _is_within(name: str, top: str, depth: int | None) -> bool:
    if name == top:
        return True
    below = name.startswith(top + "/")
    return below and (depth is None or name.removeprefix(top).count("/") <= depth)


async def setmetadata(session: Session, command: SetMetadata) -> Reply:
    values = dict(command.values)
    _check_sizes(values)
    if command.mailbox:
        await _set_of_mailbox(session, command.mailbox, values)
    else:
        account = await session.context.directory.account_by_id(session.account)
        actor = None if account is None else actor_of(account)
        check_server_values(values, actor is not None and may(actor, Right.SERVER))
        await _change(session, SERVER, "", values)
    return Reply("SETMETADATA completed")


async def _set_of_mailbox(session: Session, name: str, values: dict[str, bytes | None]) -> None:
    place, box = await _annotated(session, name)
    use = None
    if SPECIAL_USE in values:
        use = check_special_use(session, box, values.pop(SPECIAL_USE))
    if values:
        await _change(session, Holder(box.account, box.id), place.name, values)
    if use is not None:
        await session.store.set_special_use(box.account, box.id, use)


async def _change(
    session: Session, holder: Holder, name: str, values: Mapping[str, bytes | None]
) -> None:
    try:
        await session.context.metadata.change(holder, name, session.account, values, session)
    except TooManyEntries as error:
        raise No(str(error), b"METADATA TOOMANY") from None


def _check_sizes(values: Mapping[str, bytes | None]) -> None:
    for name, value in values.items():
        if len(name) > MAX_NAME:
            raise No(f"The name of an entry has at most {MAX_NAME} octets", b"LIMIT")
        if value is not None and len(value) > MAX_VALUE:
            raise No("The value is too long", b"METADATA MAXSIZE %d" % MAX_VALUE)


async def _annotated(session: Session, name: str) -> tuple[Place, Mailbox]:
    """A mailbox that the user may annotate; \\Noselect ones too (RFC 5464 §4.1). Raises No."""
    place = await resolve(session, name)
    place.check("l")
    if place.box is None:
        raise No("The mailbox does not exist", b"NONEXISTENT")
    if set(place.rights).isdisjoint("rswip"):
        raise No("You have no right to do that", b"NOPERM")
    return place, place.box
