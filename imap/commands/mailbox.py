"""CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8, RFC 6154 §3,
RFC 8474 §4.1)."""

from imap.annotations import USES
from imap.grammar.command import Create, Delete, Rename, Subscribe, Unsubscribe
from imap.grammar.responses import mailboxid_code
from imap.mailboxes import resolve
from imap.object_ids import mailbox_id
from imap.place import Place, is_others
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
    _refuse_others(place)
    box = await session.store.create(place.account, place.name, use)
    return Reply("CREATE completed", mailboxid_code(mailbox_id(box)))


async def delete(session: Session, command: Delete) -> Reply:
    place = await resolve(session, command.mailbox)
    place.check("x")
    selected = session.selected
    if selected is not None and place.box is not None and selected.is_at(place.box):
        session.unselect()
        session.send(b"* OK [CLOSED] The selected mailbox is being deleted\r\n")
    await session.store.delete(place.account, place.name)
    return Reply("DELETE completed")


async def rename(session: Session, command: Rename) -> Reply:
    source = await resolve(session, command.source)
    source.check("x")
    target = await resolve(session, command.target.removesuffix("/"))
    _refuse_others(target)
    await session.store.rename(source.account, source.name, target.name)
    if source.name == INBOX and source.box is not None:
        made = await session.store.named(target.account, target.name)
        here, there = Holder(source.account, source.box.id), Holder(made.account, made.id)
        await session.context.metadata.copy(here, there)
    return Reply("RENAME completed")


def _refuse_others(place: Place) -> None:
    if is_others(place.shown):
        raise No("You may not create mailboxes there", b"NOPERM")


async def subscribe(session: Session, command: Subscribe) -> Reply:
    """Subscriptions are the user's own, to mailboxes of others too, and to names without one."""
    await session.store.subscribe(session.account, command.mailbox, True)
    return Reply("SUBSCRIBE completed")


async def unsubscribe(session: Session, command: Unsubscribe) -> Reply:
    await session.store.subscribe(session.account, command.mailbox, False)
    return Reply("UNSUBSCRIBE completed")
