"""LIST in all its forms, LSUB, NAMESPACE and STATUS.

RFC 9051 §6.3.9 to §6.3.11, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8438, RFC 7889,
RFC 8440, RFC 9208. The separator is `/`; `%` stops there and `*` does not. Special-use attributes
are given to plain LIST too, for the clients that never ask (Outlook, iOS), but only to the user's
own mailboxes: another user's Sent is nobody else's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auth.rights import shown as written
from imap.annotations import computed_for_mailbox
from imap.grammar.acl import myrights_line
from imap.grammar.command import (
    List,
    ListReturn,
    ListSelect,
    Lsub,
    Namespace,
    Status,
    StatusItem,
)
from imap.grammar.metadata import metadata_line
from imap.grammar.responses import list_line, namespace_line, status_line
from imap.listing import Matcher, order, parents
from imap.mailboxes import resolve, visible
from imap.object_ids import mailbox_id
from imap.place import OTHERS, Place, is_others
from imap.replies import Reply
from imap.session import Session
from storage.metadata import Holder
from storage.values import Mailbox


@dataclass(frozen=True, slots=True)
class Name:
    """A name that LIST may give: a mailbox, or one that is only subscribed to or has children."""

    name: str
    place: Place | None
    subscribed: bool
    children: bool

    @property
    def is_level(self) -> bool:
        """Whether it is nothing but a level above mailboxes, which `%` gives and `*` does not
        (RFC 3501 §6.3.8, RFC 4314 §4).
        """
        return self.place is None and not self.subscribed

    @property
    def special_use(self) -> str:
        box = self.box
        return box.special_use if box is not None and not is_others(self.name) else ""

    @property
    def box(self) -> Mailbox | None:
        return self.place.box if self.place is not None else None


async def list_(session: Session, command: List) -> Reply:
    if not command.extended and command.patterns == ("",):
        session.send(b'* LIST (\\Noselect) "/" ""\r\n')
        return Reply("LIST completed")
    names = await _names(session)
    match = Matcher(command.reference, command.patterns)
    levels = Matcher(command.reference, [one for one in command.patterns if one[-1:] != "*"])
    below = _parents_of_chosen(names, command, match)
    annotated = await _annotations(session, names, command)
    for name in names:
        if not match(name.name) or (name.is_level and not levels(name.name)):
            continue
        info = ("SUBSCRIBED",) if name.name in below else ()
        if info or _chosen(name, command.selection):
            marks = _attributes(name, command)
            session.send(list_line(name.name, marks, "/", child_info=info, utf8=session.utf8))
            place, box = name.place, name.box
            if place is not None and box is not None and box.selectable:
                if ListReturn.MYRIGHTS in command.returns and _chosen(name, command.selection):
                    session.send(myrights_line(name.name, written(place.rights), session.utf8))
                if command.status and "r" in place.rights:
                    session.send(await _status(session, place, box, command.status))
            if command.metadata and place is not None and box is not None:
                session.send(_metadata(session, place, box, command.metadata, annotated))
        await session.connection.breathe()
    return Reply("LIST completed")


async def lsub(session: Session, command: Lsub) -> Reply:
    """`%` gives a parent that is not subscribed itself as \\Noselect (RFC 3501 §6.3.9)."""
    names = {name.name: name for name in await _names(session) if name.subscribed}
    match = Matcher(command.reference, (command.pattern,))
    shown: dict[str, tuple[str, ...]] = {}
    for name in names.values():
        if match(name.name):
            lost = name.box is None or not name.box.selectable
            shown[name.name] = ("\\Noselect",) if lost else ()
        elif command.pattern.endswith("%"):
            for parent in parents(name.name):
                if match(parent) and parent not in names:
                    shown[parent] = ("\\Noselect",)
    for text in sorted(shown, key=order):
        session.send(list_line(text, shown[text], "/", command=b"LSUB", utf8=session.utf8))
    return Reply("LSUB completed")


async def namespace(session: Session, _command: Namespace) -> Reply:
    """The user's own mailboxes, and those that other users share (RFC 2342 §5)."""
    session.send(namespace_line((("", "/"),), ((f"{OTHERS}/", "/"),)))
    return Reply("NAMESPACE completed")


async def status(session: Session, command: Status) -> Reply:
    place = await resolve(session, command.mailbox)
    session.send(await _status(session, place, place.need("r"), command.items))
    return Reply("STATUS completed")


# What there is, what is chosen and how it is written.


async def _names(session: Session) -> list[Name]:
    """Mailboxes and bare names, sorted, INBOX first."""
    places = {place.shown: place for place in await visible(session)}
    subscribed = set(await session.store.subscriptions(session.account))
    above = {parent for name in places for parent in parents(name)}
    return [
        Name(name, places.get(name), name in subscribed, name in above)
        for name in sorted(subscribed | above | set(places), key=order)
    ]


def _chosen(name: Name, selection: frozenset[ListSelect]) -> bool:
    if ListSelect.SPECIAL_USE in selection and not name.special_use:
        return False
    if ListSelect.SUBSCRIBED in selection:
        return name.subscribed
    return name.box is not None or name.children


def _parents_of_chosen(names: Sequence[Name], command: List, match: Matcher) -> set[str]:
    """With RECURSIVEMATCH, the names above those that meet the selection and no pattern."""
    if ListSelect.RECURSIVEMATCH not in command.selection:
        return set()
    return {
        parent
        for name in names
        if _chosen(name, command.selection) and not match(name.name)
        for parent in parents(name.name)
    }


def _attributes(name: Name, command: List) -> list[str]:
    box = name.box
    marks: list[str] = []
    if box is None:
        marks.append("\\NonExistent")
    elif not box.selectable:
        marks.append("\\Noselect")
    wants_subscribed = ListReturn.SUBSCRIBED in command.returns
    if name.subscribed and (wants_subscribed or ListSelect.SUBSCRIBED in command.selection):
        marks.append("\\Subscribed")
    marks.append("\\HasChildren" if name.children else "\\HasNoChildren")
    if name.special_use:
        marks.append(name.special_use)
    return marks


async def _annotations(
    session: Session, names: Sequence[Name], command: List
) -> Mapping[Holder, dict[str, bytes]]:
    """What RETURN (METADATA ...) asks for, of all mailboxes at once (RFC 9590)."""
    if not command.metadata:
        return {}
    accounts = {name.place.account for name in names if name.place is not None}
    return await session.context.metadata.read_all(accounts, session.account, command.metadata)


def _metadata(
    session: Session,
    place: Place,
    box: Mailbox,
    wanted: Sequence[str],
    annotated: Mapping[Holder, dict[str, bytes]],
) -> bytes:
    """The entries of a mailbox, NIL where there is none; nothing for who may not see them."""
    if set(place.rights).isdisjoint("rswip"):
        return b""
    found = annotated.get(Holder(box.account, box.id), {}) | computed_for_mailbox(session, box)
    values = [(name, found.get(name)) for name in wanted]
    return metadata_line(place.shown, values, session.utf8)


async def _status(
    session: Session, place: Place, box: Mailbox, items: Sequence[StatusItem]
) -> bytes:
    values: dict[StatusItem, int | bytes | None] = {
        StatusItem.MESSAGES: box.messages,
        StatusItem.RECENT: 0,
        StatusItem.UIDNEXT: box.uidnext,
        StatusItem.UIDVALIDITY: box.uidvalidity,
        StatusItem.UNSEEN: box.unseen,
        StatusItem.DELETED: box.deleted,
        StatusItem.SIZE: box.size,
        StatusItem.HIGHESTMODSEQ: max(1, box.highestmodseq),
        StatusItem.APPENDLIMIT: session.context.settings.limits.message_size,
        StatusItem.MAILBOXID: b"(%s)" % mailbox_id(box),
    }
    if StatusItem.DELETED_STORAGE in items:
        values[StatusItem.DELETED_STORAGE] = await session.store.deleted_size(box)
    if StatusItem.HIGHESTMODSEQ in items:
        session.use_condstore()
    return status_line(place.shown, {item: values[item] for item in items}, session.utf8)
