"""CREATE, DELETE, RENAME, SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8, RFC 6154 §3)."""

from imap.grammar.command import Create, Delete, Rename, Subscribe, Unsubscribe
from imap.replies import No, Reply
from imap.session import Session

_USES = {name.lower(): name for name in ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")}


async def create(session: Session, command: Create) -> Reply:
    """A separator at the end only says that children will follow (RFC 9051 §6.3.4)."""
    use = ""
    if command.use:
        use = _USES.get(command.use[0].lower(), "")
        if not use or len(command.use) > 1:
            raise No("No such special use", b"USEATTR")
    await session.store.create(session.account, command.mailbox.removesuffix("/"), use)
    return Reply("CREATE completed")


async def delete(session: Session, command: Delete) -> Reply:
    selected = session.selected
    if selected is not None and selected.name == command.mailbox:
        session.unselect()
        session.send(b"* OK [CLOSED] The selected mailbox is being deleted\r\n")
    await session.store.delete(session.account, command.mailbox)
    return Reply("DELETE completed")


async def rename(session: Session, command: Rename) -> Reply:
    target = command.target.removesuffix("/")
    await session.store.rename(session.account, command.source, target)
    return Reply("RENAME completed")


async def subscribe(session: Session, command: Subscribe) -> Reply:
    await session.store.subscribe(session.account, command.mailbox, True)
    return Reply("SUBSCRIBE completed")


async def unsubscribe(session: Session, command: Unsubscribe) -> Reply:
    await session.store.subscribe(session.account, command.mailbox, False)
    return Reply("UNSUBSCRIBE completed")
