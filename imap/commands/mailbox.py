"""CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE.

RFC 9051 §6.3.4 to §6.3.8, RFC 6154 §3, RFC 8474 §4.1; the rights that they need are those of
RFC 4314 §4.
"""

from auth.mailbox_lists import forget
from imap.annotations import USES
from imap.grammar.mailbox_commands import Create, Delete, Rename, Subscribe, Unsubscribe
from imap.grammar.responses import list_line, mailboxid_code
from imap.hierarchy import Birth
from imap.mailboxes import resolve
from imap.object_ids import mailbox_id
from imap.place import is_others
from imap.replies import No, Reply
from imap.session import Session
from storage.metadata import Holder
from storage.names import INBOX


async def create(session: Session, command: Create) -> Reply:
    """A separator at the end only says that children will follow (RFC 9051 §6.3.4)."""
    use = ""
    if command.use:
        use = USES.get(command.use[0].lower(), "")
        if not use or len(command.use) > 1:
            raise No("No such special use", b"USEATTR")
    place = await resolve(session, command.mailbox.removesuffix("/"))
    if use and is_others(place.shown):
        raise No("The special uses of another user's mailboxes are not yours to give", b"USEATTR")
    birth = await Birth.begin(session, place)
    box = await session.store.create(place.account, place.name, use)
    await birth.finish()
    _tell_name(session, place.shown, command.mailbox.removesuffix("/"))
    return Reply("CREATE completed", mailboxid_code(mailbox_id(box)))


def _tell_name(session: Session, name: str, other: str) -> None:
    """IMAP4rev2 clients hear what a mailbox is called that they called otherwise (RFC 9051
    §6.3.4, §7.3.1).
    """
    if session.mode.rev2 and name != other:
        session.send(list_line(name, (), "/", old_name=other, utf8=True))


async def delete(session: Session, command: Delete) -> Reply:
    place = await resolve(session, command.mailbox)
    place.check("x")
    selected = session.selected
    going = place.box if place.name != INBOX else None  # INBOX stays, and stays selected
    if selected is not None and going is not None and selected.is_at(going):
        session.unselect()
        session.send(b"* OK [CLOSED] The selected mailbox is being deleted\r\n")
    only = None if place.box is None else place.box.id
    await session.store.delete(place.account, place.name, only=only)
    if place.box is not None:
        await forget(session.context.directory.acl, (place.box,))
    return Reply("DELETE completed")


async def rename(session: Session, command: Rename) -> Reply:
    """Within one account; INBOX is renamed by its owner only, since that moves its messages."""
    source = await resolve(session, command.source)
    source.check("x")
    target = await resolve(session, command.target.removesuffix("/"))
    birth = await Birth.begin(session, target)
    if source.account != target.account:
        raise No("A mailbox can't be moved to another user", b"CANNOT")
    if source.name == INBOX and is_others(source.shown):
        raise No("INBOX of another user can't be renamed", b"CANNOT")
    only = None if source.box is None else source.box.id
    await session.store.rename(source.account, source.name, target.name, only=only)
    if source.name == INBOX and source.box is not None:
        made = await session.store.named(target.account, target.name)
        here, there = Holder(source.account, source.box.id), Holder(made.account, made.id)
        await session.context.metadata.copy(here, there)
    await birth.finish(itself=source.name == INBOX)
    _tell_name(session, target.shown, source.shown)
    return Reply("RENAME completed")


async def subscribe(session: Session, command: Subscribe) -> Reply:
    """Subscriptions are the user's own, to mailboxes of others too, and to names without one."""
    await session.store.subscribe(session.account, await _spelled(session, command.mailbox), True)
    return Reply("SUBSCRIBE completed")


async def unsubscribe(session: Session, command: Unsubscribe) -> Reply:
    name = await _spelled(session, command.mailbox)
    await session.store.subscribe(session.account, name, False)
    return Reply("UNSUBSCRIBE completed")


async def _spelled(session: Session, name: str) -> str:
    """As LIST gives it, which must not be told of what LIST does not give."""
    place = await resolve(session, name)
    return place.shown if "l" in place.rights else name
