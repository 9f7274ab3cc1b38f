"""LIST in all its forms, LSUB, XLIST and NAMESPACE.

RFC 9051 §6.3.9 and §6.3.10, RFC 3501 §6.3.9, RFC 3348, RFC 5258, RFC 5819, RFC 6154, RFC 8440,
RFC 9590. The separator is `/`; `%` stops there and `*` does not. Special-use attributes are given
to plain LIST too, for the clients that never ask (Outlook, iOS). XLIST is Gmail's elder form of it,
which Outlook 2013 and 2016 ask for.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from auth.rights import shown as written
from imap.annotations import computed_for_mailbox
from imap.commands.status import status_of
from imap.grammar.acl import myrights_line
from imap.grammar.mailbox_commands import List, ListReturn, ListSelect, Lsub, Namespace, Xlist
from imap.grammar.metadata import metadata_line
from imap.grammar.responses import list_line, namespace_line
from imap.grammar.values import INBOX
from imap.listed import Name, Names
from imap.listing import Matcher, order, parents
from imap.place import Place
from imap.replies import Reply
from imap.session import Session
from storage.metadata import Holder
from storage.names import OTHERS
from storage.values import Mailbox

_XLIST_USES: Final = {"\\Junk": "\\Spam", "\\Flagged": "\\Starred", "\\All": "\\AllMail"}
# In the order in which CHILDINFO names them.
_BASES: Final = (ListSelect.SUBSCRIBED, ListSelect.SPECIAL_USE)

Annotations = Mapping[Holder, dict[str, bytes]]


async def list_(session: Session, command: List) -> Reply:
    if not command.extended and command.patterns == ("",):
        session.send(b'* LIST (\\Noselect) "/" ""\r\n')
        return Reply("LIST completed")
    names = await Names.of(session)
    match = Matcher(command.reference, command.patterns)
    levels = Matcher(command.reference, [one for one in command.patterns if one[-1:] != "*"])
    below = await _parents_of_chosen(names, command, match)
    annotated = await _annotations(session, names, command)
    bases = [option.value for option in _BASES if option in command.selection]
    async for name in names.matching(match):
        if name.is_level and not levels(name.name):
            continue
        info, chosen = name.name in below, name.is_chosen(command.selection)
        if info or chosen:
            marks = name.attributes(command.selection, command.returns)
            child_info = bases if info else ()
            session.send(list_line(name.name, marks, "/", child_info=child_info, utf8=session.utf8))
        if chosen:
            await _send_more(session, name, command, annotated)
    return Reply("LIST completed")


async def _send_more(session: Session, name: Name, command: List, annotated: Annotations) -> None:
    """The responses that follow a name which meets the selection (RFC 5819 §2, RFC 8440 §3)."""
    place, box = name.place, name.box
    if place is None or box is None:
        return
    if box.selectable:
        if ListReturn.MYRIGHTS in command.returns:
            session.send(myrights_line(name.name, written(place.rights), session.utf8))
        if command.status and "r" in place.rights:
            session.send(await status_of(session, place, box, command.status))
    if command.metadata:
        session.send(_metadata(session, place, box, command.metadata, annotated))


async def xlist(session: Session, command: Xlist) -> Reply:
    """Names as plain LIST gives them, with INBOX and the special uses in Gmail's words."""
    match = Matcher(command.reference, (command.pattern,))
    async for name in (await Names.of(session)).matching(match):
        if name.is_chosen(frozenset()) and not (name.is_level and command.pattern[-1:] == "*"):
            marks = [_XLIST_USES.get(mark, mark) for mark in name.attributes()]
            if name.name == INBOX:
                marks.append("\\Inbox")
            session.send(list_line(name.name, marks, "/", command=b"XLIST", utf8=session.utf8))
    return Reply("XLIST completed")


async def lsub(session: Session, command: Lsub) -> Reply:
    """`%` gives a parent that is not subscribed itself as \\Noselect (RFC 3501 §6.3.9)."""
    names = await Names.of(session)
    match = Matcher(command.reference, (command.pattern,))
    shown: dict[str, tuple[str, ...]] = {}
    async for name in names.all():
        if not name.subscribed:
            continue
        if match(name.name):
            lost = name.box is None or not name.box.selectable
            shown[name.name] = ("\\Noselect",) if lost else ()
        elif command.pattern.endswith("%"):
            for parent in parents(name.name):
                if match(parent) and parent not in names.subscribed:
                    shown[parent] = ("\\Noselect",)
    for text in sorted(shown, key=order):
        session.send(list_line(text, shown[text], "/", command=b"LSUB", utf8=session.utf8))
        await session.connection.breathe()
    return Reply("LSUB completed")


async def namespace(session: Session, _command: Namespace) -> Reply:
    """The user's own mailboxes, and those that other users share (RFC 2342 §5)."""
    session.send(namespace_line((("", "/"),), ((f"{OTHERS}/", "/"),)))
    return Reply("NAMESPACE completed")


async def _parents_of_chosen(names: Names, command: List, match: Matcher) -> set[str]:
    """With RECURSIVEMATCH, the names above those that meet the selection and no pattern."""
    if ListSelect.RECURSIVEMATCH not in command.selection:
        return set()
    return {
        parent
        async for name in names.not_matching(match)
        if name.is_chosen(command.selection)
        for parent in parents(name.name)
    }


async def _annotations(session: Session, names: Names, command: List) -> Annotations:
    """What RETURN (METADATA ...) asks for, of all mailboxes at once (RFC 9590)."""
    if not command.metadata:
        return {}
    accounts = {place.account for place in names.places.values()}
    return await session.context.metadata.read_all(accounts, session.account, command.metadata)


def _metadata(
    session: Session, place: Place, box: Mailbox, wanted: Sequence[str], annotated: Annotations
) -> bytes:
    """The entries of a mailbox, NIL where there is none; nothing for who may not see them."""
    if set(place.rights).isdisjoint("rswip"):
        return b""
    found = annotated.get(Holder(box.account, box.id), {}) | computed_for_mailbox(session, box)
    values = [(name, found.get(name)) for name in wanted]
    return metadata_line(place.shown, values, session.utf8)
